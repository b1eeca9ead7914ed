package client

import (
	"cmp"
	"context"
	"net/http"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/api"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// choose returns the word of the dialect.
func choose(d asteroid.Dialect, agents, workflows string) string {
	if d == asteroid.DialectWorkflows {
		return workflows
	}
	return agents
}

func keyHeader(d asteroid.Dialect) string { return choose(d, "X-Asteroid-Agents-Api-Key", "X-Api-Key") }

// executeOperation and stageOperation are operation ids, for error messages.
func executeOperation(d asteroid.Dialect) string {
	return choose(d, "AgentExecutePost", "WorkflowExecutePost")
}

func stageOperation(d asteroid.Dialect) string { return choose(d, "TempFilesStage", "TempFilesUpload") }

// Accepted is the response to an accepted execute.
type Accepted struct {
	ExecutionID string
	Status      asteroid.Status
}

// Execute sends one execute
// (https://docs.asteroid.ai/api-reference/endpoints/agents/execute-an-agent). metadata is sent in
// place of in.Metadata: it holds the identity too.
func (c *Client) Execute(ctx context.Context, in asteroid.ExecuteAgentInput, metadata map[string]string) (Accepted, error) {
	op := Operation{Name: executeOperation(c.Dialect), Execute: true}
	body := executeRequest(c.Dialect, in, metadata)
	accepted, err := c.fetchObject(ctx, op, func(ctx context.Context) (*http.Response, error) {
		if c.Dialect == asteroid.DialectWorkflows {
			return c.api.WorkflowExecutePost(ctx, in.AgentID, body)
		}
		return c.api.AgentExecutePost(ctx, in.AgentID, body)
	}, anySuccess)
	if err == nil && !text.PlainID(accepted.text("executionId")) {
		err = c.errorf(op, "was accepted without an execution id")
	}
	if err != nil {
		return Accepted{}, err
	}
	return Accepted{accepted.text("executionId"), cmp.Or(accepted.status(), asteroid.StatusStarting)}, nil
}

// executeRequest returns the body of an execute in the dialect's field names.
func executeRequest(d asteroid.Dialect, in asteroid.ExecuteAgentInput, metadata map[string]string) api.ExecuteAgentRequest {
	body := api.ExecuteAgentRequest{Version: in.Version, Metadata: &metadata}
	if in.Head {
		body.Head = &in.Head
	}
	if len(in.Inputs) > 0 {
		body.Inputs = (*map[string]any)(&in.Inputs)
	}
	if data := in.DynamicData; len(data) > 0 { //nolint:staticcheck // deprecated for users, who may still set it
		body.DynamicData = (*map[string]any)(&data)
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

// sendStage sends a form with a file. The route of DialectAgents contains the organization.
func (c *Client) sendStage(ctx context.Context, body UploadBody) (*http.Response, error) {
	if c.Dialect == asteroid.DialectWorkflows {
		params := &api.TempFilesUploadParams{OrganizationID: optional(c.OrganizationID)}
		return c.api.TempFilesUploadWithBody(ctx, params, body.FormType(), body, setLength(body))
	}
	organizationID, err := c.organization(ctx)
	if err != nil {
		return nil, err
	}
	return c.api.TempFilesStageWithBody(ctx, organizationID, body.FormType(), body, setLength(body))
}

// filterByAgent limits a list to the executions of one agent.
func filterByAgent(d asteroid.Dialect, params *api.ExecutionsListParams, agentID string) {
	if d == asteroid.DialectWorkflows {
		params.WorkflowID = &agentID
	} else {
		params.AgentID = &agentID
	}
}

// optional returns nil for an empty string, since the API distinguishes absent from empty.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// UploadBody is a multipart form with one file.
type UploadBody interface {
	Read(p []byte) (int, error)
	// FormType is the form's content type.
	FormType() string
	// Length is the form's size in bytes, negative when it is unknown.
	Length() int64
}

// setLength returns a request editor that sets Content-Length.
func setLength(body UploadBody) api.RequestEditorFn {
	return func(_ context.Context, r *http.Request) error {
		r.ContentLength = body.Length()
		return nil
	}
}
