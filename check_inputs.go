package asteroid

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/temporal-asteroid/asteroid/internal/text"
)

// maxFindings bounds how many problems one error names.
const maxFindings = 20

// CheckInputs compares inputs with what the version declares. problems are required inputs without
// a value and inputs that nobody reads. warnings are values of another type than declared: the
// service converts some of them. Each names the input and says what to change. Of an Incomplete
// description, an input that nobody reads is a warning.
//
//workflowcheck:ignore
func (d *AgentDescription) CheckInputs(inputs Inputs) (problems, warnings []string) {
	declared := map[string]AgentInput{}
	for _, in := range d.Inputs {
		declared[in.Name] = in
		value, given := inputs[in.Name]
		encoded, err := json.Marshal(value)
		types := schemaTypes(in.Schema)
		missing := !given || err == nil && string(encoded) == "null" && !slices.Contains(types, kindNull)
		switch {
		case missing && in.Required && !in.HasDefault:
			problems = append(problems, fmt.Sprintf("%s is required", in.Name))
		case !missing && err == nil:
			if kind := jsonKind(encoded); len(types) > 0 && !slices.Contains(types, kind) {
				warnings = append(warnings, fmt.Sprintf("%s is %s, and the agent expects %s", in.Name, kind, strings.Join(types, " or ")))
			}
		}
	}
	unknown := unknownInputs(inputs, declared)
	if d.Incomplete {
		warnings = append(warnings, unknown...)
	} else {
		problems = append(problems, unknown...)
	}
	return firstFindings(problems), firstFindings(warnings)
}

func firstFindings(all []string) []string {
	if more := len(all) - maxFindings; more > 0 {
		return append(all[:maxFindings:maxFindings], fmt.Sprintf("and %d more", more))
	}
	return all
}

// unknownInputs returns what is given and not declared. The declared inputs are listed once.
func unknownInputs(inputs Inputs, declared map[string]AgentInput) (found []string) {
	names, list := sortedKeys(declared), false
	for _, name := range sortedKeys(inputs) {
		if _, known := declared[name]; known {
			continue
		}
		finding := text.Clip(name) + " is read by nobody"
		if near := text.Nearest(name, names); near != "" {
			finding += ": did you mean " + near + "?"
		} else {
			list = true
		}
		found = append(found, finding)
	}
	switch {
	case list && len(names) == 0:
		found = append(found, "the agent takes no inputs")
	case list:
		found = append(found, "the inputs are "+strings.Join(firstFindings(names), ", "))
	}
	return found
}

// schemaTypes returns the kinds of values that a schema's type allows; nothing if it does not say.
func schemaTypes(schema json.RawMessage) (kinds []string) {
	var one struct{ Type string }
	var several struct{ Type []string }
	if json.Unmarshal(schema, &one) == nil && one.Type != "" {
		several.Type = []string{one.Type}
	} else if json.Unmarshal(schema, &several) != nil {
		return nil
	}
	for _, name := range several.Type {
		kind, known := map[string]string{
			"string": kindString, "number": kindNumber, "integer": kindNumber, "boolean": kindBool, "object": kindObject, "array": kindArray, "null": kindNull,
		}[name]
		if !known {
			return nil
		}
		kinds = append(kinds, kind)
	}
	return kinds
}
