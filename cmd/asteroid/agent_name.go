package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/temporal-asteroid/asteroid"
)

// agentID returns an id as it is, and the id of the agent that has a name. Ids are UUIDs. A worker
// is asked about a name.
func (c *cli) agentID(ctx context.Context, s agentsSettings, given string) (string, error) {
	if uuid.Validate(given) == nil {
		return given, nil
	}
	var found asteroid.ListAgentsResult
	if err := c.ask(ctx, s.taskQueue, asteroid.ListAgentsName, asteroid.ListAgentsInput{Connection: s.connection, SearchName: given}, &found); err != nil {
		return "", fmt.Errorf("find the agent %q by its name: %w", given, err)
	}
	var ids []string
	for _, agent := range found.Agents {
		if strings.EqualFold(agent.Name, given) {
			ids = append(ids, agent.AgentID)
		}
	}
	switch len(ids) {
	case 1:
		return ids[0], nil
	case 0:
		return "", notFoundErrorf("no agent has the name or the id %q: asteroid agents list shows them", given)
	default:
		return "", usageErrorf("%d agents have the name %q: give one of the ids %s", len(ids), given, strings.Join(ids, ", "))
	}
}
