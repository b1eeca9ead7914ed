package client

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/api"
)

// ListPageSize is how many executions a list asks for. A service may send smaller pages.
const ListPageSize = 100

// Summary is what is read of a listed execution. The rest of it, inputs above all, may be large.
type Summary struct {
	ID                string          `json:"id"`
	AgentID           string          `json:"agentId"`
	WorkflowID        string          `json:"workflowId"`
	Status            asteroid.Status `json:"status"`
	CreatedAt         time.Time       `json:"createdAt"`
	ParentExecutionID string          `json:"parentExecutionId"`
	Metadata          map[string]any  `json:"metadata"`
}

// isOf reports whether an agent made the execution, in either dialect.
func (s Summary) isOf(agentID string) bool {
	return strings.EqualFold(s.AgentID, agentID) || strings.EqualFold(s.WorkflowID, agentID)
}

// SummaryPage is one page of a list.
type SummaryPage struct {
	Items []Summary `json:"items"`
	// Total counts the executions on all pages; 0 when the service does not tell.
	Total int64 `json:"total"`
}

// ListQuery selects executions. Zero fields select nothing away.
type ListQuery struct {
	OrganizationID             string
	AgentID                    string
	Statuses                   []asteroid.Status
	MetadataKey, MetadataValue string
	CreatedAfter               time.Time
	NewestFirst                bool
}

// List reads one page, counted from 1, in the order of creation
// (https://docs.asteroid.ai/api-reference/execution/list-executions).
func (c *Client) List(ctx context.Context, query ListQuery, page int32) (SummaryPage, error) {
	size, field, direction := int32(ListPageSize), api.ExecutionSortFieldCreatedAt, api.SortDirectionAsc
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
	return fetch[SummaryPage](ctx, c, Operation{Name: "ExecutionsList"}, func(ctx context.Context) (*http.Response, error) {
		return c.api.ExecutionsList(ctx, params)
	}, http.StatusOK)
}

// ReadSummary reads what a list would show of one execution.
func (c *Client) ReadSummary(ctx context.Context, id string) (Summary, error) {
	what := Operation{Name: "ExecutionGet", executionID: id}
	e, err := fetch[Summary](ctx, c, what, func(ctx context.Context) (*http.Response, error) {
		return c.api.ExecutionGet(ctx, id)
	}, http.StatusOK)
	if err == nil && (e.ID != id || e.Status == "") {
		err = &Error{Operation: what, Connection: c.Name, Message: "the answer is not about this execution"}
	}
	return e, err
}
