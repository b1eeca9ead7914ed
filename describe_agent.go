package asteroid

import (
	"cmp"
	"encoding/json"
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
