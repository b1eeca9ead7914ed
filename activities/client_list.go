package activities

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

// ListPageSize is how many executions a list asks for. A service may send smaller pages.
const listPageSize = 100

// Summary is what is read of a listed execution. The rest of it, inputs above all, may be large.
type summary struct {
	ID                string         `json:"id"`
	AgentID           string         `json:"agentId"`
	WorkflowID        string         `json:"workflowId"`
	Status            Status         `json:"status"`
	CreatedAt         time.Time      `json:"createdAt"`
	ParentExecutionID string         `json:"parentExecutionId"`
	Metadata          map[string]any `json:"metadata"`
}

// isOf reports whether an agent made the execution, in either dialect.
func (s summary) isOf(agentID string) bool {
	return strings.EqualFold(s.AgentID, agentID) || strings.EqualFold(s.WorkflowID, agentID)
}

// SummaryPage is one page of a list.
type summaryPage struct {
	Items []summary `json:"items"`
	// Total counts the executions on all pages; 0 when the service does not tell.
	Total int64 `json:"total"`
}

// ListQuery selects executions. Zero fields select nothing away.
type listQuery struct {
	OrganizationID             string
	AgentID                    string
	Statuses                   []Status
	MetadataKey, MetadataValue string
	CreatedAfter               time.Time
	NewestFirst                bool
}

// List reads one page, counted from 1, in the order of creation
// (https://docs.asteroid.ai/api-reference/execution/list-executions).
func (c *connection) list(ctx context.Context, query listQuery, page int32) (summaryPage, error) {
	size, field, direction := int32(listPageSize), api.ExecutionSortFieldCreatedAt, api.SortDirectionAsc
	if query.NewestFirst {
		direction = api.SortDirectionDesc
	}
	params := &api.ExecutionsListParams{
		OrganizationID: optional(query.OrganizationID), Page: &page, PageSize: &size, SortField: &field, SortDirection: &direction,
		MetadataKey: optional(query.MetadataKey), MetadataValue: optional(query.MetadataValue),
	}
	if len(query.Statuses) > 0 {
		statuses := make([]api.ExecutionStatus, len(query.Statuses))
		for i, s := range query.Statuses {
			statuses[i] = api.ExecutionStatus(s)
		}
		params.Status = &statuses
	}
	if !query.CreatedAfter.IsZero() {
		params.CreatedAfter = &query.CreatedAfter
	}
	if query.AgentID != "" {
		filterByAgent(c.Dialect, params, query.AgentID)
	}
	return fetch[summaryPage](ctx, c, call{operation: "ExecutionsList"}, func(ctx context.Context) (*http.Response, error) {
		return c.api.ExecutionsList(ctx, params)
	}, http.StatusOK)
}

// ReadSummary reads what a list would show of one execution.
func (c *connection) readSummary(ctx context.Context, id string) (summary, error) {
	what := call{operation: "ExecutionGet", executionID: id}
	e, err := fetch[summary](ctx, c, what, func(ctx context.Context) (*http.Response, error) {
		return c.api.ExecutionGet(ctx, id)
	}, http.StatusOK)
	if err == nil && (e.ID != id || e.Status == "") {
		err = &failure{call: what, connection: c.name, message: "the answer is not about this execution"}
	}
	return e, err
}
