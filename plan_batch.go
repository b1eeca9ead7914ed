package asteroid

import (
	"cmp"
	"encoding/json"
)

// PlanBatchInput is the input of asteroid.PlanBatch.
type PlanBatchInput struct {
	BatchPlan
	// Rows is required in pass 1. A later pass runs the rows that failed in the passes before it.
	Rows BatchRows `json:"rows,omitzero"`
	Pass int       `json:"pass"`
	// Template is the input of asteroid.RunAgent. {{column}} in any of its strings stands for the
	// row's value. One within inputs that is nothing but {{column}} becomes the value itself, which
	// has a type in JSON lines. {{{{ stands for {{.
	Template json.RawMessage `json:"template"`
	// InputColumns are columns that become inputs of their own names. "*" is every column. An input
	// that Template has under the same name stays.
	InputColumns []string `json:"inputColumns,omitempty"`

	decoded *decodedInput
}

// Validate checks the form of the input. Its error is asteroid.InvalidInput and names the field.
func (in *PlanBatchInput) Validate() error {
	return cmp.Or(in.decoded.check(), in.BatchPlan.validate(), checkPass("pass", in.Pass), checkTemplate(in.Template),
		in.Rows.validate(in.Pass == 1))
}

// PlanBatchResult is the result of asteroid.PlanBatch.
type PlanBatchResult struct {
	// Mark identifies the plan, which all passes have in common. It is random: a batch that is
	// reset after its end makes another plan under its PlanID.
	Mark string `json:"mark"`
	// Rows are to run in this pass, in Segments segments. Segments are numbered from 1.
	Rows     int `json:"rows"`
	Segments int `json:"segments"`
	// Succeeded are rows that need no run: they have succeeded under the batch key before. Skipped
	// are malformed.
	Succeeded int `json:"succeeded,omitempty"`
	Skipped   int `json:"skipped,omitempty"`
	// Version is the agent's version that every row was checked against, if the template has
	// CheckInputs. The rows run this version.
	Version *int `json:"version,omitempty"`
	// SearchAttributes are those of the worker's options that the batch may set: the namespace has
	// them. nil: none are named.
	SearchAttributes *SearchAttributes `json:"searchAttributes,omitempty"`
	// Warnings are at most 20 texts.
	Warnings []string `json:"warnings,omitempty"`
}
