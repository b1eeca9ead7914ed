package bound

import (
	"encoding/json"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/budget"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// Description bounds what a version says of itself. Texts are cut, and JSON that is nested too deep
// for history is left out. If it has more than
// budget.InlineResult bytes, only names are left, and only as many as there is room for.
func Description(d *asteroid.AgentDescription) {
	for i := range d.Inputs {
		d.Inputs[i].Name = text.Prose(d.Inputs[i].Name, budget.Name)
		d.Inputs[i].Description = text.Prose(d.Inputs[i].Description, budget.Description)
		dropDeep(d, &d.Inputs[i].Schema)
		dropDeep(d, &d.Inputs[i].Default)
	}
	for i := range d.Outputs {
		d.Outputs[i].Node = text.Prose(d.Outputs[i].Node, budget.Name)
		dropDeep(d, &d.Outputs[i].Schema)
	}
	if Size(d) <= budget.InlineResult {
		return
	}
	d.Incomplete = true
	for i, in := range d.Inputs {
		d.Inputs[i] = asteroid.AgentInput{Name: in.Name, Required: in.Required, HasDefault: in.HasDefault}
	}
	for i, out := range d.Outputs {
		d.Outputs[i] = asteroid.AgentOutput{Node: out.Node}
	}
	for Size(d) > budget.InlineResult {
		d.Inputs, d.Outputs = d.Inputs[:len(d.Inputs)/2], d.Outputs[:len(d.Outputs)/2]
	}
}

// dropDeep leaves out a value that a data converter may refuse.
func dropDeep(d *asteroid.AgentDescription, value *json.RawMessage) {
	if levels(*value) > budget.ResultLevels {
		*value, d.Incomplete = nil, true
	}
}
