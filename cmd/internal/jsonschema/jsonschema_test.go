package jsonschema_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/cmd/internal/jsonschema"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	const claim = `{"type":"object","required":["reference"],"properties":{"reference":{"type":"string"},"items":{"type":"array","items":{"minimum":1}}}}`
	for name, row := range map[string]struct {
		schema, value string
		mismatches    []string
		fails         string
	}{
		"fits":              {claim, `{"reference":"7"}`, nil, ""},
		"lacks a member":    {claim, `{}`, []string{"the result: missing property 'reference'"}, ""},
		"two mismatches":    {claim, `{"reference":7,"items":[1,0]}`, []string{"reference: got number, want string", "items.1: minimum: got 0, want 1"}, ""},
		"any":               {`{}`, `[null]`, nil, ""},
		"true":              {`true`, `7`, nil, ""},
		"many digits":       {`{"const":12345678901234567890123}`, `12345678901234567890123`, nil, ""},
		"a definition":      {`{"$defs":{"a":{"type":"null"}},"$ref":"#/$defs/a"}`, `7`, []string{"the result: got number, want null"}, ""},
		"a broken schema":   {`{"type":7}`, `7`, nil, "type"},
		"no schema":         {`"text"`, `7`, nil, "schema"},
		"another document":  {`{"$ref":"https://schemas.example/a.json"}`, `7`, nil, "not loaded"},
		"a file":            {`{"$ref":"file:///etc/passwd"}`, `7`, nil, "not loaded"},
		"no JSON":           {`{`, `7`, nil, "not JSON"},
		"a result, no JSON": {`{}`, `{`, nil, "not JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mismatches, err := jsonschema.Check(json.RawMessage(row.schema), json.RawMessage(row.value))
			if row.fails != "" {
				require.ErrorContains(t, err, row.fails)
				return
			}
			require.NoError(t, err)
			require.ElementsMatch(t, row.mismatches, mismatches)
		})
	}
}

func TestCheckSurvivesDeepResults(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 9000) + strings.Repeat("]", 9000)
	_, err := jsonschema.Check(json.RawMessage(`{"$ref":"#/$defs/l","$defs":{"l":{"type":"array","items":{"$ref":"#/$defs/l"}}}}`), json.RawMessage(deep))
	require.NoError(t, err)
}

func TestCheckGivesUpOnExponentialSchemas(t *testing.T) {
	t.Parallel()
	var definitions strings.Builder
	for i := range 60 {
		fmt.Fprintf(&definitions, `"a%d":{"allOf":[{"$ref":"#/$defs/a%d"},{"$ref":"#/$defs/a%[2]d"}]},`, i, i+1)
	}
	schema := `{"$defs":{` + definitions.String() + `"a60":{}},"$ref":"#/$defs/a0"}`
	_, err := jsonschema.Check(json.RawMessage(schema), json.RawMessage(`7`))
	require.ErrorContains(t, err, "takes longer than")
}
