package asteroid

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/temporal-asteroid/asteroid/internal/text"
)

// DescribeAgentInput is the input of asteroid.DescribeAgent, whose result is an [AgentDescription].
type DescribeAgentInput struct {
	// Connection is DefaultConnection when empty.
	Connection string `json:"connection,omitempty"`
	// AgentID is required.
	AgentID string `json:"agentId"`
	// Version is the number of a version; nil is the published one.
	Version *int `json:"version,omitempty"`

	decoded *decodedInput
}

// Validate checks the agent id and the version. Its error is asteroid.InvalidInput and names the
// field.
func (in *DescribeAgentInput) Validate() error {
	if err := cmp.Or(in.decoded.check(), checkID("agentId", in.AgentID)); err != nil {
		return err
	}
	if in.Version != nil && *in.Version < 1 {
		return NewInvalidInput("version", "must be at least 1")
	}
	return nil
}

// AgentDescription is what one version of an agent takes and gives.
type AgentDescription struct {
	AgentID string `json:"agentId"`
	// Unsupported says that the service does not serve versions. The other members are empty then.
	Unsupported bool `json:"unsupported,omitempty"`

	VersionID string `json:"versionId,omitempty"`
	// Version is the number, which never means another version. Published says whether it is the
	// one that runs when an execute names none.
	Version   int  `json:"version,omitempty"`
	Published bool `json:"published,omitempty"`
	// Inputs are the declared inputs, and those that only prompts use.
	Inputs []AgentInput `json:"inputs,omitempty"`
	// Outputs are the output nodes that have a schema, by name.
	Outputs []AgentOutput `json:"outputs,omitempty"`
	// HardTimeoutMinutes ends every run; 0 when it is not known.
	HardTimeoutMinutes int `json:"hardTimeoutMinutes,omitempty"`
	// Incomplete says that the description was too large for a workflow's history, so schemas,
	// defaults and texts are left out, and perhaps some inputs and outputs.
	Incomplete bool `json:"incomplete,omitempty"`
}

// AgentInput is one input of a version.
type AgentInput struct {
	Name string `json:"name"`
	// Schema is the JSON Schema of the value.
	Schema json.RawMessage `json:"schema,omitempty"`
	// Required says that a run needs a value. HasDefault says that the version has one, which is
	// Default.
	Required    bool            `json:"required,omitempty"`
	HasDefault  bool            `json:"hasDefault,omitempty"`
	Default     json.RawMessage `json:"default,omitempty"`
	Description string          `json:"description,omitempty"`
}

// AgentOutput is one output node of a version.
type AgentOutput struct {
	Node   string          `json:"node"`
	Schema json.RawMessage `json:"schema,omitempty"`
}

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
	unknown := d.unknownInputs(inputs, declared)
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
func (d *AgentDescription) unknownInputs(inputs Inputs, declared map[string]AgentInput) (found []string) {
	names, list := sortedKeys(declared), false
	for _, name := range sortedKeys(inputs) {
		if _, known := declared[name]; known {
			continue
		}
		finding := text.Clip(name) + " is read by nobody"
		if near := nearest(name, names); near != "" {
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
