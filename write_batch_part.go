package asteroid

import "cmp"

// WriteBatchPartInput is the input of asteroid.WriteBatchPart. Rows are results of one segment;
// they are added to those that were written before, or replace them.
type WriteBatchPartInput struct {
	BatchPlan
	Pass    int         `json:"pass"`
	Segment int         `json:"segment"`
	Rows    []RowResult `json:"rows"`

	decoded *decodedInput
}

// Validate checks the form of the input. Its error is asteroid.InvalidInput and names the field.
func (in *WriteBatchPartInput) Validate() error {
	return cmp.Or(in.decoded.check(), in.BatchPlan.validate(), checkPass("pass", in.Pass), checkPass("segment", in.Segment))
}

// WriteBatchPartResult is the result of asteroid.WriteBatchPart. It is empty.
type WriteBatchPartResult struct{}
