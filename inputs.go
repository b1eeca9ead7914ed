package asteroid

import (
	"bytes"
	"encoding/json"
)

// Inputs are named JSON values. Decoded, numbers are [json.Number], so that a policy number of twenty digits is still
// itself when it reaches the agent.
type Inputs map[string]any

// UnmarshalJSON decodes an object without turning numbers into floating point.
func (in *Inputs) UnmarshalJSON(data []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	return decoder.Decode((*map[string]any)(in))
}
