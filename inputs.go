package asteroid

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"

	"github.com/temporal-asteroid/asteroid/internal/budget"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// Inputs are named JSON values. Decoded numbers are [json.Number], so that a policy number of
// twenty digits reaches the agent unchanged.
type Inputs map[string]any

// UnmarshalJSON decodes an object and keeps every digit of its numbers.
func (in *Inputs) UnmarshalJSON(data []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	return decoder.Decode((*map[string]any)(in))
}

// inputNamePattern matches the names that a placeholder in a prompt can have
// (https://docs.asteroid.ai/fundamentals/nodes/ai-task).
var inputNamePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// checkSize returns an asteroid.InvalidInput about the field if an activity cannot be scheduled
// with the input. The encoding of one input is always the same.
//
//workflowcheck:ignore
func checkSize(field string, input any) error {
	encoded, err := json.Marshal(input)
	switch {
	case err != nil:
		return NewInvalidInput(field, "cannot be encoded as JSON: "+err.Error())
	case len(encoded) > budget.ActivityInput:
		return NewInvalidInput(field, fmt.Sprintf("make an input of %d bytes, more than %d: "+
			"pass large content as a file by reference", len(encoded), budget.ActivityInput))
	}
	return nil
}

func (in Inputs) validate(field string) error {
	for _, name := range sortedKeys(in) {
		if !inputNamePattern.MatchString(name) {
			return NewInvalidInput(field, fmt.Sprintf(
				"the name %q fits no prompt: use a letter or _ first, then letters, digits and _",
				text.Clip(name)))
		}
		if raw, ok := in[name].(json.RawMessage); ok && len(raw) == 0 {
			return NewInvalidInput(field, fmt.Sprintf(
				"%q is an empty json.RawMessage: the run had no result, or one that is too large "+
					"(Execution.ResultOmitted): pass a result with RunAgentInput.AddResult", text.Clip(name)))
		}
	}
	return nil
}
