package client

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/api"
	"github.com/temporal-asteroid/asteroid/internal/budget"
)

// ListPageSize is the page size that a list requests. The service may return smaller pages.
const ListPageSize = 100

// Summary has the used members of a listed execution. Others, such as its inputs, may be large.
type Summary struct {
	ID                string
	AgentID           string
	WorkflowID        string
	Status            asteroid.Status
	Terminal          bool // see asteroid.Execution.Terminal
	CreatedAt         time.Time
	ParentExecutionID string
	Metadata          map[string]string
}

func summaryOf(m members) Summary {
	status := m.status()
	return Summary{
		ID: m.text("id"), AgentID: m.text("agentId"), WorkflowID: m.text("workflowId"), Status: status, Terminal: m.terminal(status),
		CreatedAt: m.time("createdAt"), ParentExecutionID: m.text("parentExecutionId"), Metadata: m.strings("metadata"),
	}
}

// IsOf reports whether the execution is of an agent, in either dialect.
func (s Summary) IsOf(agentID string) bool {
	return strings.EqualFold(s.AgentID, agentID) || strings.EqualFold(s.WorkflowID, agentID)
}

// SummaryPage is one page of a list.
type SummaryPage struct {
	// Items are those that could be read. Listed counts the others too.
	Items  []Summary
	Listed int
	// Total counts the executions on all pages. It is 0 when the service does not report it.
	Total int64
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

// List reads the page with a number, counted from 1, in ascending order of creation unless
// query.NewestFirst (https://docs.asteroid.ai/api-reference/execution/list-executions). The service
// lists executions with their results. A page that is too large is read in smaller pages; an
// execution that is too large by itself is counted and left out.
func (c *Client) List(ctx context.Context, query ListQuery, number int32) (SummaryPage, error) {
	return c.listInParts(ctx, query, number, ListPageSize)
}

// smallerPages are the page sizes to try, by the size of the page that is too large. Each divides
// it, so that the smaller pages hold the same executions.
var smallerPages = map[int32]int32{ListPageSize: 50, 50: 25, 25: 5, 5: 1}

// listInParts reads a page, in smaller pages if it is too large.
func (c *Client) listInParts(ctx context.Context, query ListQuery, number, size int32) (SummaryPage, error) {
	whole, err := c.listPage(ctx, query, number, size)
	if !errors.Is(err, ErrTooLarge) {
		return whole, err
	}
	smaller, ok := smallerPages[size]
	if !ok {
		return SummaryPage{Listed: 1}, nil
	}
	whole = SummaryPage{}
	for part, parts := int32(1), size/smaller; part <= parts; part++ {
		page, err := c.listInParts(ctx, query, (number-1)*parts+part, smaller)
		if err != nil {
			return SummaryPage{}, err
		}
		whole.Items = append(whole.Items, page.Items...)
		whole.Listed, whole.Total = whole.Listed+page.Listed, max(whole.Total, page.Total)
		if page.Listed < int(smaller) {
			break
		}
	}
	return whole, nil
}

// listPage reads one page.
func (c *Client) listPage(ctx context.Context, query ListQuery, number, size int32) (SummaryPage, error) {
	field, direction := api.ExecutionSortFieldCreatedAt, api.SortDirectionAsc
	if query.NewestFirst {
		direction = api.SortDirectionDesc
	}
	params := &api.ExecutionsListParams{
		OrganizationID: optional(query.OrganizationID), Page: &number, PageSize: &size, SortField: &field, SortDirection: &direction,
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
	op := Operation{Name: "ExecutionsList"}
	if size == 1 {
		op.maxResponse = budget.ExecutionResponse
	}
	page, err := c.fetchObject(ctx, op, func(ctx context.Context) (*http.Response, error) {
		return c.api.ExecutionsList(ctx, params)
	}, anySuccess)
	if err != nil {
		return SummaryPage{}, err
	}
	items, err := splitArray(page["items"])
	none := string(page["items"]) == "null" && page.text("total") == "0"
	if err != nil && !none {
		return SummaryPage{}, c.errorf(op, "answered with a page without items")
	}
	listed := SummaryPage{Listed: len(items), Total: page.integer("total")}
	for _, item := range objectsOf(items) {
		listed.Items = append(listed.Items, summaryOf(item))
	}
	return listed, nil
}

// ReadSummary reads one execution as a list would return it.
func (c *Client) ReadSummary(ctx context.Context, id string) (Summary, error) {
	op := Operation{Name: "ExecutionGet", executionID: id, maxResponse: budget.ExecutionResponse}
	found, err := c.fetchObject(ctx, op, func(ctx context.Context) (*http.Response, error) {
		return c.api.ExecutionGet(ctx, id)
	}, anySuccess)
	if err != nil {
		return Summary{}, err
	}
	e := summaryOf(found)
	if !strings.EqualFold(e.ID, id) || e.Status == "" {
		return Summary{}, c.errorf(op, wrongExecution)
	}
	return e, nil
}

// lastPage reports whether a list ends with a page of so many items: listed counts those of all
// pages so far, total is what the service says, or 0. Pages may be smaller than requested.
func lastPage(items, listed, total int64) bool {
	return items == 0 || listed >= total && (total > 0 || items < ListPageSize)
}
