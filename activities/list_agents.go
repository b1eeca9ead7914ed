package activities

import (
	"context"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/budget"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// maxAgents bounds a list of agents. With their names they have some 300 KiB.
const maxAgents = 1000

// ListAgents lists the agents that the connection's key sees
// (https://docs.asteroid.ai/api-reference/agents/list-agents).
//
// Errors: asteroid.InvalidInput, and those of the API.
func (a *Activities) ListAgents(ctx context.Context, in asteroid.ListAgentsInput) (*asteroid.ListAgentsResult, error) {
	c, err := a.checkInput(in.Connection, in.Validate)
	if err != nil {
		return nil, err
	}
	found, complete, err := c.Agents(ctx, in.SearchName, maxAgents)
	if err != nil {
		return nil, activityError(ctx, err)
	}
	listed := found[:min(len(found), maxAgents)]
	for i := range listed {
		listed[i].Name = text.Line(listed[i].Name, budget.Name)
	}
	return &asteroid.ListAgentsResult{Agents: listed, Incomplete: !complete || len(found) > maxAgents}, nil
}
