package asteroid

import (
	"cmp"
	"encoding/json"
)

// SchemaChecker compares a JSON value with a JSON Schema. It returns what does not fit, one
// sentence each, and an error if the schema itself cannot be used. It is called by several
// activities at a time.
type SchemaChecker func(schema, value json.RawMessage) (mismatches []string, err error)

// CheckResultInput is the input of asteroid.CheckResult.
type CheckResultInput struct {
	// Connection is DefaultConnection when empty.
	Connection string `json:"connection,omitempty"`
	// ExecutionID is required.
	ExecutionID string `json:"executionId"`

	decoded *decodedInput
}

// Validate checks the execution id. Its error is asteroid.InvalidInput and names the field.
func (in *CheckResultInput) Validate() error {
	return cmp.Or(in.decoded.check(), checkID("executionId", in.ExecutionID))
}

// CheckResultResult is the result of asteroid.CheckResult.
type CheckResultResult struct {
	// Mismatches are where the result does not fit the schema, at most 20.
	Mismatches []string `json:"mismatches,omitempty"`
	// Unchecked is why the result was not checked: the version declares no schema, for example. It
	// is empty when it was.
	Unchecked string `json:"unchecked,omitempty"`
}
