package activities

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

// sibling is an execution of the same intent.
type sibling struct {
	id       string
	status   Status
	created  time.Time
	activity string // MetadataActivityID: which activity started it
	runID    string // MetadataRunID
	parent   string // of a rerun
}

// look finds the executions of the intent that can be adopted, the oldest first. Those that failed or were cancelled
// are history, unless this activity started them; then the intent goes on under the next number of its key, which is
// returned.
func (e *execute) look(ctx context.Context, key string) (found []sibling, next string, err error) {
	next = key
	for number := 2; ; number++ {
		found, err = e.c.siblings(ctx, e.in.AgentID, next, e.earliest())
		if err != nil {
			return nil, "", err
		}
		current := slices.ContainsFunc(found, func(s sibling) bool {
			return s.activity == e.activityID() || s.status != StatusFailed && s.status != StatusCancelled
		})
		if current || len(found) == 0 {
			return found, next, nil
		}
		next = key + "#" + strconv.Itoa(number)
	}
}

// settle keeps the oldest of the executions that were found and cancels the others. posted is the one that this attempt
// has just started, if any.
func (e *execute) settle(ctx context.Context, key string, found []sibling, posted string) (*ExecuteAgentResult, error) {
	keeper := keep(found, e.activityID())
	result := &ExecuteAgentResult{
		ExecutionID: keeper.id, Status: keeper.status, ExecutionKey: key,
		Adopted:              keeper.id != posted,
		MayHaveLateDuplicate: e.Doubtful > len(found),
	}
	if result.Adopted {
		e.decide(ctx, DecisionAdopted, keeper.id)
	}
	for _, s := range found {
		if s.id == keeper.id || s.status.Terminal() {
			continue
		}
		if err := e.c.cancel(ctx, s.id); err != nil {
			e.leaveWord(ctx)
			return nil, ended(ctx, err)
		}
		e.decide(ctx, DecisionDuplicateCancelled, s.id)
		result.DuplicatesCancelled = append(result.DuplicatesCancelled, s.id)
	}
	result.Decisions = e.Decided
	return result, nil
}

// keep chooses the execution to go on with: the oldest that this activity started, whatever has become of it, or that is
// going on or has completed.
func keep(found []sibling, activityID string) sibling {
	for _, s := range found {
		if s.activity == activityID || s.status != StatusFailed && s.status != StatusCancelled {
			return s
		}
	}
	return found[0]
}

const (
	lookupPageSize = 100
	// maxLookupPages ends a listing that never does. An intent has one execution and a handful of reruns.
	maxLookupPages = 100
)

// siblings lists the executions of an agent whose metadata holds exactly this key, the oldest first, reruns aside. A
// rerun whose original the list does not show leads to it.
func (c *connection) siblings(ctx context.Context, agentID, key string, earliest time.Time) ([]sibling, error) {
	organizationID, err := c.organization(ctx)
	if err != nil && !IsInvalidInput(err) {
		return nil, err
	}
	// A key that spans several organizations executes without saying which, so it is not needed for a look either: to
	// give up here would be to lose an agent that may be running.
	var all []sibling
	// The oldest first, so that what is created meanwhile does not shift the pages.
	size, field, direction, name := int32(lookupPageSize), api.ExecutionSortFieldCreatedAt, api.SortDirectionAsc, MetadataExecutionKey
	params := &api.ExecutionsListParams{
		OrganizationID: optional(organizationID), PageSize: &size, SortField: &field, SortDirection: &direction,
		MetadataKey: &name, MetadataValue: &key,
	}
	if !earliest.IsZero() {
		params.CreatedAfter = &earliest
	}
	c.Dialect.filterByAgent(params, agentID)
	for page := int32(1); page <= maxLookupPages; page++ {
		params.Page = &page
		listed, err := fetch[api.ExecutionPage](ctx, c, call{operation: "ExecutionsList"}, func(ctx context.Context) (*http.Response, error) {
			return c.api.ExecutionsList(ctx, params)
		}, http.StatusOK)
		if err != nil {
			return nil, err
		}
		for _, item := range listed.Items {
			// Compared here as well: how exactly the service matches is not published.
			metadata := value(item.Metadata)
			if metadata[MetadataExecutionKey] == key && plainID(item.ID) && (item.AgentID == agentID || value(item.WorkflowID) == agentID) {
				starter, _ := metadata[MetadataActivityID].(string)
				runID, _ := metadata[MetadataRunID].(string)
				all = append(all, sibling{item.ID, Status(item.Status), item.CreatedAt, starter, runID, value(item.ParentExecutionID)})
			}
		}
		if len(listed.Items) < lookupPageSize {
			break
		}
	}
	return c.originals(ctx, all)
}

// originals drops reruns. Where nothing else is left, what they are reruns of is read.
func (c *connection) originals(ctx context.Context, all []sibling) ([]sibling, error) {
	originals := slices.DeleteFunc(slices.Clone(all), func(s sibling) bool { return s.parent != "" })
	if len(originals) == 0 && len(all) > 0 {
		original, err := c.originalOf(ctx, all[0])
		if err != nil {
			return nil, err
		}
		originals = []sibling{original}
	}
	slices.SortFunc(originals, func(a, b sibling) int { return cmp.Or(a.created.Compare(b.created), cmp.Compare(a.id, b.id)) })
	return originals, nil
}

// originalOf follows parentExecutionId to its end.
func (c *connection) originalOf(ctx context.Context, rerun sibling) (sibling, error) {
	for id, steps := rerun.parent, 0; steps < maxLookupPages; steps++ {
		e, err := c.execution(ctx, id)
		if err != nil {
			return sibling{}, err
		}
		if e.ParentExecutionID == "" {
			// What a rerun has copied of the metadata is the original's.
			return sibling{id: e.ExecutionID, status: e.Status, created: e.CreatedAt, activity: rerun.activity, runID: rerun.runID}, nil
		}
		id = e.ParentExecutionID
	}
	return sibling{}, &failure{call: call{operation: "ExecutionGet", executionID: rerun.id}, connection: c.name,
		message: fmt.Sprintf("is a rerun of a rerun more than %d times", maxLookupPages)}
}

// cancel ends an execution. One that is over already needs no cancelling.
func (c *connection) cancel(ctx context.Context, id string) error {
	_, err := c.setStatus(ctx, id, StatusCancelled)
	return err
}
