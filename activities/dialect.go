package activities

import (
	"context"
	"io"
	"net/http"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

// Dialect is which of the API's two vocabularies a connection speaks. In 2026 the vendor renamed agents to workflows
// and profile pools to profile groups; an agent's id is the workflow's id. The inputs of this package keep one set of
// names, and this file alone translates.
type Dialect string

const (
	// DialectAgents is the published "Execute an agent" page: the header X-Asteroid-Agents-Api-Key,
	// /agents/{agentId}/execute, /temp-files/{organizationId}. The default.
	DialectAgents Dialect = "agents"
	// DialectWorkflows is its successor: the header X-Api-Key, /workflows/{workflowId}/execute, /temp-files,
	// profileId, profileGroupId and variantKey.
	DialectWorkflows Dialect = "workflows"
)

func (d Dialect) keyHeader() string {
	if d == DialectWorkflows {
		return "X-Api-Key"
	}
	return "X-Asteroid-Agents-Api-Key"
}

// executeOperation is the contract's operation id, for error messages.
func (d Dialect) executeOperation() string {
	if d == DialectWorkflows {
		return "WorkflowExecutePost"
	}
	return "AgentExecutePost"
}

func (d Dialect) stageOperation() string {
	if d == DialectWorkflows {
		return "TempFilesUpload"
	}
	return "TempFilesStage"
}

func (c *connection) execute(ctx context.Context, agentID string, body api.ExecuteAgentRequest) (*http.Response, error) {
	if c.Dialect == DialectWorkflows {
		return c.api.WorkflowExecutePost(ctx, agentID, body)
	}
	return c.api.AgentExecutePost(ctx, agentID, body)
}

// stage uploads one multipart form. edit gets the request before it is sent.
func (c *connection) stage(ctx context.Context, contentType string, form io.Reader, edit api.RequestEditorFn) (*http.Response, error) {
	if c.Dialect == DialectWorkflows {
		params := &api.TempFilesUploadParams{OrganizationID: optional(c.OrganizationID)}
		return c.api.TempFilesUploadWithBody(ctx, params, contentType, form, edit)
	}
	organizationID, err := c.organization(ctx)
	if err != nil {
		return nil, err
	}
	return c.api.TempFilesStageWithBody(ctx, organizationID, contentType, form, edit)
}

// executeRequest puts an input into the dialect's words. Metadata comes apart, because the identity is added to it.
func (d Dialect) executeRequest(in ExecuteAgentInput, metadata map[string]string) api.ExecuteAgentRequest {
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
	if d == DialectWorkflows {
		body.ProfileID, body.ProfileGroupID = profile, pool
	} else {
		body.AgentProfileID, body.AgentProfilePoolID = profile, pool
	}
	if o := in.ExecutionOptions; o != nil {
		options := api.ExecutionOptions{VariantKey: optional(o.VariantKey), SoftTimeoutMins: o.SoftTimeoutMins}
		if d == DialectWorkflows && o.SharedStorageKey != "" {
			options.VariantKey = &o.SharedStorageKey
		} else {
			options.SharedStorageKey = optional(o.SharedStorageKey)
		}
		body.ExecutionOptions = &options
	}
	return body
}

// filterByAgent narrows a listing to one agent.
func (d Dialect) filterByAgent(params *api.ExecutionsListParams, agentID string) {
	if d == DialectWorkflows {
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
