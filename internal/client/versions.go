package client

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// Version is one version of an agent.
type Version struct {
	ID        string
	Number    int
	Published bool
}

// Versions lists the versions of an agent
// (https://docs.asteroid.ai/api-reference/workflows/list-workflow-versions). supported is false for
// a service without the operation, which answers a 404 that is not JSON.
func (c *Client) Versions(ctx context.Context, agentID string) (found []Version, supported bool, err error) {
	op := Operation{Name: choose(c.Dialect, "AgentWorkflowsList", "WorkflowVersionsList")}
	items, err := c.fetchItems(ctx, op, func(ctx context.Context) (*http.Response, error) {
		if c.Dialect == asteroid.DialectWorkflows {
			return c.api.WorkflowVersionsList(ctx, agentID)
		}
		return c.api.AgentWorkflowsList(ctx, agentID)
	}, anySuccess)
	if notServed(err) {
		return nil, false, nil
	}
	for _, item := range items {
		if v := (Version{item.text("id"), int(item.integer("version")), item.flag("isPublished")}); text.PlainID(v.ID) && v.Number > 0 {
			found = append(found, v)
		}
	}
	return found, true, err
}

// Describe reads what a version takes and gives. It keeps nothing else of the version: prompts are
// nobody's business. Of a service without the operation for inputs the description is Unsupported.
func (c *Client) Describe(ctx context.Context, agentID string, v Version) (*asteroid.AgentDescription, error) {
	d := &asteroid.AgentDescription{AgentID: agentID, VersionID: v.ID, Version: v.Number, Published: v.Published}
	op := Operation{Name: choose(c.Dialect, "AgentWorkflowsGetInputs", "WorkflowVersionsGetInputs")}
	inputs, err := c.fetchObject(ctx, op, func(ctx context.Context) (*http.Response, error) {
		if c.Dialect == asteroid.DialectWorkflows {
			return c.api.WorkflowVersionsGetInputs(ctx, agentID, v.ID)
		}
		return c.api.AgentWorkflowsGetInputs(ctx, agentID, v.ID)
	}, anySuccess)
	if notServed(err) {
		return &asteroid.AgentDescription{AgentID: agentID, Unsupported: true}, nil
	}
	if err != nil {
		return nil, err
	}
	for _, in := range inputs.objects("inputs") {
		if name := in.text("name"); name != "" {
			value := in["defaultValue"]
			d.Inputs = append(d.Inputs, asteroid.AgentInput{
				Name: name, Schema: validUTF8(in["schema"]), Required: in.flag("required"),
				HasDefault: len(value) > 0 && string(value) != "null", Default: validUTF8(value), Description: in.text("description"),
			})
		}
	}
	op.Name = choose(c.Dialect, "AgentWorkflowsGetOutputSchemas", "WorkflowVersionsGetOutputSchemas")
	outputs, err := c.fetchObject(ctx, op, func(ctx context.Context) (*http.Response, error) {
		if c.Dialect == asteroid.DialectWorkflows {
			return c.api.WorkflowVersionsGetOutputSchemas(ctx, agentID, v.ID)
		}
		return c.api.AgentWorkflowsGetOutputSchemas(ctx, agentID, v.ID)
	}, anySuccess)
	if err != nil && !notServed(err) {
		return nil, err
	}
	for _, node := range slices.Sorted(maps.Keys(outputs)) {
		d.Outputs = append(d.Outputs, asteroid.AgentOutput{Node: node, Schema: validUTF8(outputs[node])})
	}
	if d.HardTimeoutMinutes, err = c.hardTimeout(ctx, agentID, v.ID); err != nil {
		return nil, err
	}
	return d, nil
}

// hardTimeout reads a version's hard timeout in minutes. It is 0 if the service refuses to tell, or
// if the response, which has the whole version, is too large.
func (c *Client) hardTimeout(ctx context.Context, agentID, versionID string) (int, error) {
	version, err := c.fetchObject(ctx, Operation{Name: "WorkflowVersionsGet"}, func(ctx context.Context) (*http.Response, error) {
		return c.api.WorkflowVersionsGet(ctx, agentID, versionID, c.versionRoute)
	}, anySuccess)
	if err = ignoreTooLarge(err); rejected(err) {
		err = nil
	}
	if err != nil || version == nil {
		return 0, err
	}
	return int(version.object("settings").integer("max_timeout_mins")), nil
}

// versionRoute sends a request about one version to the dialect's route. The contract has that of
// DialectWorkflows only.
func (c *Client) versionRoute(_ context.Context, r *http.Request) error {
	if c.Dialect != asteroid.DialectWorkflows {
		_, route, _ := strings.Cut(r.URL.Path, c.base.Path)
		route = strings.Replace(strings.Replace(route, "/workflows/", "/agents/", 1), "/versions/", "/workflows/", 1)
		r.URL.Path, r.URL.RawPath = c.base.Path+route, ""
	}
	return nil
}
