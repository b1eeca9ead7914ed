package asteroid_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
)

func TestDecodeResultFailsWithoutAResult(t *testing.T) {
	t.Parallel()
	for name, result := range map[string]*asteroid.ExecutionResult{
		"no result": nil, "no JSON": {Outcome: "success"}, "empty JSON": {Result: json.RawMessage{}},
	} {
		e := asteroid.Execution{ExecutionID: "e-1", Status: asteroid.StatusFailed, ExecutionResult: result}
		require.Empty(t, e.Result(), name)
		var got any
		require.EqualError(t, e.DecodeResult(&got), "execution e-1 has no result: its status is failed", name)
	}
}

func TestDecodeResultFailsForAnotherShape(t *testing.T) {
	t.Parallel()
	e := asteroid.Execution{
		ExecutionID:     "e-1",
		ExecutionResult: &asteroid.ExecutionResult{Result: json.RawMessage(`{"amount":"250"}`)},
	}
	var got struct {
		Amount int `json:"amount"`
	}
	err := e.DecodeResult(&got)
	require.ErrorContains(t, err, "decode the result of execution e-1: ")
	var wrongType *json.UnmarshalTypeError
	require.ErrorAs(t, err, &wrongType)
}

func TestDecodeResultTakesNullForAResult(t *testing.T) {
	t.Parallel()
	e := asteroid.Execution{ExecutionResult: &asteroid.ExecutionResult{Result: json.RawMessage(`null`)}}
	got := "before"
	require.NoError(t, e.DecodeResult(&got))
}
