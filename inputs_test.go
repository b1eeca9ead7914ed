package asteroid_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
)

func TestInputsKeepEveryDigitThroughJSON(t *testing.T) {
	t.Parallel()
	const sent = `{"deep":[{"id":98765432109876543210}],"none":null,"pi":3.14159265358979323846,` +
		`"policy":12345678901234567890,"text":"9"}`
	var in asteroid.ExecuteAgentInput
	require.NoError(t, json.Unmarshal([]byte(`{"agentId":"a","inputs":`+sent+`}`), &in))
	require.Equal(t, json.Number("12345678901234567890"), in.Inputs["policy"])
	encoded, err := json.Marshal(in.Inputs)
	require.NoError(t, err)
	require.Equal(t, sent, string(encoded))
}

func TestInputsTakeAnObjectOnly(t *testing.T) {
	t.Parallel()
	var in asteroid.Inputs
	for _, wrong := range []string{`[1]`, `"a"`, `1`, `{"a":`} {
		require.Error(t, json.Unmarshal([]byte(wrong), &in), wrong)
	}
	require.NoError(t, json.Unmarshal([]byte(`null`), &in))
	require.Nil(t, in)
	require.NoError(t, json.Unmarshal([]byte(`{}`), &in))
	require.Empty(t, in)
}
