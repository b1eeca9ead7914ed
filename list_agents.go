package asteroid

import "time"

// ListAgentsInput is the input of asteroid.ListAgents
// (https://docs.asteroid.ai/api-reference/agents/list-agents).
type ListAgentsInput struct {
	// Connection is DefaultConnection when empty.
	Connection string `json:"connection,omitempty"`
	// SearchName selects agents whose name contains it, in any letter case. Empty selects all.
	SearchName string `json:"searchName,omitempty"`

	decoded *decodedInput
}

// Validate checks the form of the input. Its error is asteroid.InvalidInput and names the field.
func (in *ListAgentsInput) Validate() error { return in.decoded.check() }

// ListAgentsResult is the result of asteroid.ListAgents.
type ListAgentsResult struct {
	// Agents are at most 1,000, by name. Incomplete says that there are more.
	Agents     []AgentSummary `json:"agents,omitempty"`
	Incomplete bool           `json:"incomplete,omitempty"`
}

// AgentSummary is an agent in a list.
type AgentSummary struct {
	AgentID   string    `json:"agentId"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"createdAt,omitzero"`
}
