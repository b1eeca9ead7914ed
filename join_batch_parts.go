package asteroid

import "cmp"

// JoinBatchPartsInput is the input of asteroid.JoinBatchParts, which writes the whole results, in
// the order of the rows, and the ledger, and removes the parts.
type JoinBatchPartsInput struct {
	BatchPlan
	Passes int `json:"passes"`

	decoded *decodedInput
}

// Validate checks the form of the input. Its error is asteroid.InvalidInput and names the field.
func (in *JoinBatchPartsInput) Validate() error {
	return cmp.Or(in.decoded.check(), in.BatchPlan.validate(), checkPass("passes", in.Passes))
}

// JoinBatchPartsResult is the result of asteroid.JoinBatchParts.
type JoinBatchPartsResult struct {
	Results OutputFile `json:"results"`
	Counts  RowCounts  `json:"counts"`
}
