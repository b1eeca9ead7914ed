package client

import (
	"cmp"
	"context"
	"net/http"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/api"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

func keyHeader(d asteroid.Dialect) string {
	if d == asteroid.DialectWorkflows {
		return "X-Api-Key"
	}
	return "X-Asteroid-Agents-Api-Key"
}

// executeOperation is the contract's operation id, for error messages.
func executeOperation(d asteroid.Dialect) string {
	if d == asteroid.DialectWorkflows {
		return "WorkflowExecutePost"
	}
	return "AgentExecutePost"
}

// Accepted is what the service answers to an execute that it accepts.
type Accepted struct {
	ExecutionID string
	Status      asteroid.Status
}

// Execute sends one execute. Metadata is apart from the input, because it carries the identity too.
func (c *Client) Execute(ctx context.Context, in asteroid.ExecuteAgentInput, metadata map[string]string) (Accepted, error) {
	what := Operation{Name: executeOperation(c.Dialect), Execute: true}
	body := executeRequest(c.Dialect, in, metadata)
	answer, err := fetch[api.ExecuteAgentResponse](ctx, c, what, func(ctx context.Context) (*http.Response, error) {
		if c.Dialect == asteroid.DialectWorkflows {
			return c.api.WorkflowExecutePost(ctx, in.AgentID, body)
		}
		return c.api.AgentExecutePost(ctx, in.AgentID, body)
	}, http.StatusAccepted)
	if err == nil && !text.PlainID(answer.ExecutionID) {
		err = &Error{Operation: what, Connection: c.Name, Message: "answered 202 without an execution id"}
	}
	if err != nil {
		return Accepted{}, err
	}
	return Accepted{answer.ExecutionID, asteroid.Status(cmp.Or(value(answer.Status), string(asteroid.StatusStarting)))}, nil
}

// executeRequest puts an input into the dialect's words. Metadata comes apart, because the identity is added to it.
func executeRequest(d asteroid.Dialect, in asteroid.ExecuteAgentInput, metadata map[string]string) api.ExecuteAgentRequest {
	body := api.ExecuteAgentRequest{Version: in.Version, Metadata: &metadata}
	if in.Head {
		body.Head = &in.Head
	}
	if len(in.Inputs) > 0 {
		body.Inputs = (*map[string]any)(&in.Inputs)
	}
	if len(in.DynamicData) > 0 {
		body.DynamicData = (*map[string]any)(&in.DynamicData)
	}
	if in.OnCapacityLimit != "" {
		body.OnCapacityLimit = (*api.OnCapacityLimit)(&in.OnCapacityLimit)
	}
	if len(in.TempFiles) > 0 {
		files := make([]api.TempFile, len(in.TempFiles))
		for i, f := range in.TempFiles {
			files[i] = api.TempFile{ID: f.ID, Name: f.Name}
		}
		body.TempFiles = &files
	}
	profile, pool := optional(in.AgentProfileID), optional(in.AgentProfilePoolID)
	if d == asteroid.DialectWorkflows {
		body.ProfileID, body.ProfileGroupID = profile, pool
	} else {
		body.AgentProfileID, body.AgentProfilePoolID = profile, pool
	}
	if o := in.ExecutionOptions; o != nil {
		options := api.ExecutionOptions{VariantKey: optional(o.VariantKey), SoftTimeoutMins: o.SoftTimeoutMins}
		if d == asteroid.DialectWorkflows && o.SharedStorageKey != "" {
			options.VariantKey = &o.SharedStorageKey
		} else {
			options.SharedStorageKey = optional(o.SharedStorageKey)
		}
		body.ExecutionOptions = &options
	}
	return body
}

// filterByAgent narrows a listing to one agent.
func filterByAgent(d asteroid.Dialect, params *api.ExecutionsListParams, agentID string) {
	if d == asteroid.DialectWorkflows {
		params.WorkflowID = &agentID
	} else {
		params.AgentID = &agentID
	}
}

// optional returns nil for an empty string: the API tells absent from empty.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
