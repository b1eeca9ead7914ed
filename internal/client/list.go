package client

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/api"
)

// ListPageSize is the page size that a list requests. The service may return smaller pages.
const ListPageSize = 100

// Summary has the used members of a listed execution. Others, such as its inputs, may be large.
type Summary struct {
	ID                string          `json:"id"`
	AgentID           string          `json:"agentId"`
	WorkflowID        string          `json:"workflowId"`
	Status            asteroid.Status `json:"status"`
	CreatedAt         time.Time       `json:"createdAt"`
	ParentExecutionID string          `json:"parentExecutionId"`
	Metadata          map[string]any  `json:"metadata"`
}

// isOf reports whether the execution is of an agent, in either dialect.
func (s Summary) isOf(agentID string) bool {
	return strings.EqualFold(s.AgentID, agentID) || strings.EqualFold(s.WorkflowID, agentID)
}

// SummaryPage is one page of a list.
type SummaryPage struct {
	Items []Summary `json:"items"`
	// Total counts the executions on all pages. It is 0 when the service does not report it.
	Total int64 `json:"total"`
}

// ListQuery selects executions. A zero field does not restrict the selection.
type ListQuery struct {
	OrganizationID             string
	AgentID                    string
	Statuses                   []asteroid.Status
	MetadataKey, MetadataValue string
	CreatedAfter               time.Time
	NewestFirst                bool
}

// List reads one page, counted from 1, in ascending order of creation unless query.NewestFirst
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

// ReadSummary reads one execution as a list would return it.
func (c *Client) ReadSummary(ctx context.Context, id string) (Summary, error) {
	op := Operation{Name: "ExecutionGet", executionID: id}
	e, err := fetch[Summary](ctx, c, op, func(ctx context.Context) (*http.Response, error) {
		return c.api.ExecutionGet(ctx, id)
	}, http.StatusOK)
	if err == nil && (e.ID != id || e.Status == "") {
		err = c.errorf(op, wrongExecution)
	}
	return e, err
}
