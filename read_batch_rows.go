package asteroid

import (
	"cmp"
	"encoding/json"
)

// ReadBatchRowsInput is the input of asteroid.ReadBatchRows.
type ReadBatchRowsInput struct {
	BatchPlan
	Pass     int             `json:"pass"`
	Segment  int             `json:"segment"`
	Template json.RawMessage `json:"template"`
	// InputColumns are those of [PlanBatchInput].
	InputColumns []string `json:"inputColumns,omitempty"`

	decoded *decodedInput
}

// Validate checks the form of the input. Its error is asteroid.InvalidInput and names the field.
func (in *ReadBatchRowsInput) Validate() error {
	return cmp.Or(in.decoded.check(), in.BatchPlan.validate(), checkPass("pass", in.Pass), checkPass("segment", in.Segment),
		checkTemplate(in.Template))
}

// ReadBatchRowsResult is the result of asteroid.ReadBatchRows: at most 300 rows of 256 KiB
// together, but at least one.
type ReadBatchRowsResult struct {
	Rows []BatchRow `json:"rows"`
}

// BatchRow is a row to run. Input is the template with the row's values, an input of
// asteroid.RunAgent.
type BatchRow struct {
	Number  int             `json:"number"`
	Key     string          `json:"key"`
	Attempt int             `json:"attempt"`
	Input   json.RawMessage `json:"input"`
	// Limits are those of Input and of the worker, as [RunLimits.Of] returns them, without the
	// fairness keys.
	Limits []Limit `json:"limits,omitempty"`
}
