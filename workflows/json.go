package workflows

import (
	"encoding/json"

	"github.com/temporal-asteroid/asteroid"
)

// encode returns the JSON of a value. Equal values have equal JSON, so this is deterministic.
//
//workflowcheck:ignore
func encode(value any) (json.RawMessage, error) { return json.Marshal(value) }

// decode decodes JSON. It is deterministic.
//
//workflowcheck:ignore
func decode(raw json.RawMessage, value any) error { return json.Unmarshal(raw, value) }

// decodeStrictly is [asteroid.DecodeInput]. It is deterministic.
//
//workflowcheck:ignore
func decodeStrictly(raw json.RawMessage, value any) error { return asteroid.DecodeInput(raw, value) }
