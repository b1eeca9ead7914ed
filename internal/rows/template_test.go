package rows_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/rows"
)

func TestTemplateExpands(t *testing.T) {
	t.Parallel()
	cells := map[string]json.RawMessage{
		"id": json.RawMessage(`"A \"1\""`), "n": json.RawMessage(`12345678901234567890`), "list": json.RawMessage(`[1,{"x":null}]`),
		"null": json.RawMessage(`null`), "two words": json.RawMessage(`"2"`), "html": json.RawMessage(`"<&>"`),
	}
	for template, want := range map[string]string{
		`{"a":"{{id}}"}`:                      `{"a":"A \"1\""}`,
		`{"a":"{{ n }}"}`:                     `{"a":12345678901234567890}`,
		`{"a":"n={{n}}, {{list}}"}`:           `{"a":"n=12345678901234567890, [1,{\"x\":null}]"}`,
		`{"a":["{{list}}",{"b":"{{id}}!"}]}`:  `{"a":[[1,{"x":null}],{"b":"A \"1\"!"}]}`,
		`{"a":"{{null}}","b":"x{{null}}"}`:    `{"a":null,"b":"x"}`,
		`{"a":"{{absent}}","b":"{{absent}}"}`: `{"a":null,"b":null}`,
		`{"a":"{{{{id}}"}`:                    `{"a":"{{id}}"}`,
		`{"a":"{{{{{{id}}"}`:                  `{"a":"{{A \"1\""}`,
		`{"a":"{{two words}}{{html}}"}`:       `{"a":"2<&>"}`,
		`{"a":1.10,"b":"no } braces {"}`:      `{"a":1.10,"b":"no } braces {"}`,
	} {
		parsed, err := rows.NewTemplate(json.RawMessage(`{"inputs":`+template+`}`), nil)
		require.NoError(t, err)
		require.Equal(t, `{"inputs":`+want+`}`, string(parsed.Expand(cells)), template)
	}
}

func TestTemplateHasTypesInInputsOnly(t *testing.T) {
	t.Parallel()
	cells := map[string]json.RawMessage{"n": json.RawMessage(`7`), "null": json.RawMessage(`null`), "s": json.RawMessage(`"x"`)}
	for template, want := range map[string]string{
		`{"agentProfileId":"{{n}}"}`:                          `{"agentProfileId":"7"}`,
		`{"files":[{"name":"{{s}}","uri":"{{null}}"}]}`:       `{"files":[{"name":"x","uri":""}]}`,
		`{"limits":[{"key":"{{n}}","max":1}]}`:                `{"limits":[{"key":"7","max":1}]}`,
		`{"metadata":{"inputs.n":"{{absent}}","n":"{{n}}"}}`:  `{"metadata":{"inputs.n":"","n":"7"}}`,
		`{"inputs":{"a":{"b":["{{n}}"]}},"inputsOf":"{{n}}"}`: `{"inputs":{"a":{"b":[7]}},"inputsOf":"7"}`,
	} {
		parsed, err := rows.NewTemplate(json.RawMessage(template), nil)
		require.NoError(t, err)
		require.Equal(t, want, string(parsed.Expand(cells)), template)
	}
}

func TestTemplateTakesInputColumns(t *testing.T) {
	t.Parallel()
	cells := map[string]json.RawMessage{"a": json.RawMessage(`"1"`), "b": json.RawMessage(`2`)}
	for _, row := range []struct {
		template string
		columns  []string
		want     string
	}{
		{`{}`, []string{"*"}, `{"inputs":{"a":"1","b":2}}`},
		{`{"inputs":{}}`, []string{"b", "absent", "b"}, `{"inputs":{"b":2}}`},
		{`{"inputs":{"a":"mine","z":[]},"x":{"inputs":{}}}`, []string{"*"}, `{"inputs":{"a":"mine","z":[],"b":2},"x":{"inputs":{}}}`},
		{`{"inputs":{"a":"{{b}}"}}`, []string{"a"}, `{"inputs":{"a":2}}`},
		{`{"inputs":null}`, []string{"a"}, `{"inputs":{"a":"1"}}`},
	} {
		parsed, err := rows.NewTemplate(json.RawMessage(row.template), row.columns)
		require.NoError(t, err)
		require.Equal(t, row.want, string(parsed.Expand(cells)))
	}
}

func TestTemplateNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	for template, said := range map[string]string{
		`[]`:                          "template: must be a JSON object",
		`{"inputs":[]}`:               "template.inputs: must be an object",
		`{"inputs":{"a":["x {{id"]}}`: "template.inputs.a[0]: has {{ without the name of a column and }}",
		`{"metadata":{"{{claim_number}}":"yes"}}`: "template.metadata: has {{ in the name {{claim_number}}",
		`{"metadata":{"a":"{{ }}"}}`:              "template.metadata.a: has {{ without the name",
		`{"agentId":"{{clam_number}}"}`:           "template: the rows have no column clam_number: did you mean claim_number?",
		`{"agentId":"{{something else}}"}`:        "template: the rows have no column something else: the columns are claim_number, amount",
	} {
		parsed, err := rows.NewTemplate(json.RawMessage(template), nil)
		if err == nil {
			err = parsed.CheckColumns([]string{"claim_number", "amount"})
		}
		require.True(t, asteroid.IsInvalidInput(err), template)
		require.ErrorContains(t, err, said)
	}
	parsed, err := rows.NewTemplate(json.RawMessage(`{}`), []string{"*", "amont"})
	require.NoError(t, err)
	require.ErrorContains(t, parsed.CheckColumns([]string{"amount"}), "inputColumns: the rows have no column amont: did you mean amount?")
}

func TestFieldFindsMembers(t *testing.T) {
	t.Parallel()
	value := json.RawMessage(`{"claim":{"number":"A-1"},"items":[{"price":1.10}],"a.b":{"c":3},"none":null}`)
	for path, want := range map[string]string{
		"claim.number": `"A-1"`, "items.0.price": `1.10`, "a.b": `{"c":3}`, "none": `null`, "claim": `{"number":"A-1"}`,
		"items.1.price": "", "items.x": "", "claim.number.x": "", "absent": "", "": "",
	} {
		require.Equal(t, want, string(rows.Field(value, path)), path)
	}
}
