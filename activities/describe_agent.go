package activities

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/bound"
	"github.com/temporal-asteroid/asteroid/internal/client"
)

// DescribeAgent reads what a version of an agent takes and gives: its inputs, the schemas of its
// results, its hard timeout
// (https://docs.asteroid.ai/api-reference/workflows/list-workflow-versions). Without a number it
// describes the published version. A numbered version never changes, so the worker reads each once.
// Prompts, cookies and credentials are not kept.
//
// Errors: asteroid.InvalidInput if the agent has no such version, or none that is published; those
// of the API. A service that does not serve versions is no error, see
// [asteroid.AgentDescription.Unsupported].
func (a *Activities) DescribeAgent(ctx context.Context, in asteroid.DescribeAgentInput) (*asteroid.AgentDescription, error) {
	c, err := a.checkInput(in.Connection, in.Validate)
	if err != nil {
		return nil, err
	}
	return a.describeVersion(ctx, c, in.AgentID, in.Version)
}

func (a *Activities) describeVersion(ctx context.Context, c *client.Client, agentID string, number *int) (*asteroid.AgentDescription, error) {
	versions, supported, err := c.Versions(ctx, agentID)
	if err != nil {
		return nil, activityError(ctx, err)
	}
	if !supported {
		return &asteroid.AgentDescription{AgentID: agentID, Unsupported: true}, nil
	}
	at := slices.IndexFunc(versions, func(v client.Version) bool {
		if number == nil {
			return v.Published
		}
		return v.Number == *number
	})
	switch {
	case at >= 0:
	case number != nil:
		return nil, asteroid.NewInvalidInput("version", fmt.Sprintf("agent %s has no version %d", agentID, *number))
	default:
		return nil, asteroid.NewInvalidInput("version", fmt.Sprintf("agent %s has no published version: publish one, or name a version", agentID))
	}
	version := versions[at]
	key := c.Name + "\n" + version.ID
	description, known := a.descriptions.get(key)
	if !known {
		read, err := c.Describe(ctx, agentID, version)
		if err != nil {
			return nil, activityError(ctx, err)
		}
		if read.Unsupported {
			return read, nil // not kept: a proxy can answer like that for a while
		}
		bound.Description(read)
		description = *read
		a.descriptions.add(key, description)
	}
	description.Published = version.Published // may have changed
	return &description, nil
}

// descriptions keeps those of versions that were read before, by connection and version id.
type descriptions struct {
	mu    sync.Mutex
	known map[string]asteroid.AgentDescription
}

// maxDescriptions bounds the memory that descriptions take.
const maxDescriptions = 200

func (d *descriptions) get(key string) (asteroid.AgentDescription, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	found, ok := d.known[key]
	return found, ok
}

func (d *descriptions) add(key string, description asteroid.AgentDescription) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known == nil || len(d.known) >= maxDescriptions {
		d.known = map[string]asteroid.AgentDescription{}
	}
	d.known[key] = description
}
