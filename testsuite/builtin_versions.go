package testsuite

// schema is a JSON Schema.
type schema = map[string]any

var (
	textSchema   = schema{"type": "string"}
	numberSchema = schema{"type": "number", "minimum": 0}
	countSchema  = schema{"type": "integer", "minimum": 0}
)

// endInputs are the inputs by which some built-in agents end otherwise than completed.
var endInputs = []Input{
	{Name: "fail", Schema: textSchema, Description: "Fail for this reason."},
	{Name: "cancel", Schema: textSchema, Description: "End as cancelled, for this reason of the service."},
}

// builtinVersions are what the built-in agents take and give.
var builtinVersions = map[string]Version{
	"inventory": {
		Inputs: []Input{{Name: "note", Schema: textSchema, Description: "Repeated in the result."}},
		Outputs: map[string]map[string]any{"listed": {
			"type": "object", "required": []string{"count", "totalSize", "files"},
			"properties": schema{"count": countSchema, "totalSize": countSchema, "files": schema{"type": "array"}, "inputs": schema{"type": "object"}},
		}},
	},
	"totals": {Outputs: map[string]map[string]any{"summed": {"type": "object"}}},
	"report": {
		Inputs: []Input{
			{Name: "executionId", Schema: textSchema, Required: true, Description: "The execution that is reported on."},
			{Name: "result", Schema: schema{}, Required: true, Description: "Its result."},
			{Name: "title", Schema: textSchema},
		},
		Outputs: map[string]map[string]any{"reported": {"type": "object"}},
	},
	"patient": {
		Inputs: append([]Input{
			{Name: "seconds", Schema: numberSchema, Default: 60, Description: "How long it works."},
			{Name: "ask", Schema: textSchema, Description: "A question that it asks half-way."},
			{Name: "answers", Schema: schema{"type": "array", "items": textSchema}, Description: "The answers that it suggests."},
		}, endInputs...),
		Outputs: map[string]map[string]any{"done": {"type": "object"}},
	},
	"echo": {
		Inputs: append([]Input{
			{Name: "seconds", Schema: numberSchema, Default: 1, Description: "How long it works."},
			{Name: "ask", Schema: countSchema, Description: "How many questions it asks."},
			{Name: "bytes", Schema: countSchema, Description: "The size of its result."},
			{Name: "levels", Schema: countSchema, Description: "The depth of its result."},
		}, endInputs...),
		Outputs: map[string]map[string]any{"repeated": {}},
	},
}
