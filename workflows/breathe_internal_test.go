package workflows

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
)

func TestRoomLeftTellsLargeInputs(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", largeInput)
	for name, row := range map[string]struct {
		value any
		large bool
	}{
		"nothing":        {nil, false},
		"a few":          {map[string]any{"a": 1, "b": []any{"x", 1.5, nil, true}}, false},
		"a string":       {map[string]any{"a": large}, true},
		"raw JSON":       {map[string]any{"a": json.RawMessage(large)}, true},
		"many items":     {map[string]any{"a": make([]any, largeInput)}, true},
		"nested":         {map[string]any{"a": []any{map[string]any{"b": json.Number(large)}}}, true},
		"a user's type":  {map[string]any{"a": struct{ Text string }{large}}, true},
		"of this module": {map[string]any(asteroid.Inputs{large: 1}), true},
	} {
		require.Equal(t, row.large, roomLeft(row.value, largeInput) <= 0, name)
	}
}
