package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

// sibling is an execution of the same intent.
type sibling struct {
	id      string
	status  Status
	created time.Time
	parent  string // of a rerun
	starter
}

// starter is what an execution's metadata tells of who started it.
type starter struct{ namespace, workflowID, runID, activity, signal string }

func starterOf(metadata map[string]any) starter {
	text := func(name string) string { text, _ := metadata[name].(string); return text }
	return starter{text(MetadataNamespace), text(MetadataWorkflowID), text(MetadataRunID), text(MetadataActivityID), text(MetadataSignal)}
}

// look finds the executions of the intent that can be adopted, the oldest first. Those that failed or were cancelled
// are history, unless this activity started them; then the intent goes on under the next number of its key, which is
// returned.
func (e *execute) look(ctx context.Context, key string) (found []sibling, next string, err error) {
	next = key
	for number := 2; ; number++ {
		all, err := e.c.siblings(ctx, e.in.AgentID, next, e.earliest())
		if err != nil {
			return nil, "", err
		}
		found = e.notExcluded(all)
		if len(all) == 0 || slices.ContainsFunc(found, func(s sibling) bool { return e.started(s) || !s.history() }) {
			return found, next, nil
		}
		next = key + "#" + strconv.Itoa(number)
	}
}

// siblings are those of one number of the key that this intent has not left behind.
func (e *execute) siblings(ctx context.Context, key string) ([]sibling, error) {
	all, err := e.c.siblings(ctx, e.in.AgentID, key, e.earliest())
	return e.notExcluded(all), err
}

func (e *execute) notExcluded(all []sibling) []sibling {
	return slices.DeleteFunc(all, func(s sibling) bool { return slices.Contains(e.in.ExcludeExecutions, s.id) })
}

// history reports whether a run counts for its intent no more.
func (s sibling) history() bool { return s.status == StatusFailed || s.status == StatusCancelled }

// started reports whether this activity started a run, or an earlier one of the same start of an agent.
func (e *execute) started(s sibling) bool {
	return s.activity == e.activityID() ||
		!e.in.DoubtfulSince.IsZero() && s.runID == e.info.WorkflowExecution.RunID && s.created.After(e.in.DoubtfulSince.Add(-clockSkew))
}

// settle keeps the oldest of the executions that were found and cancels the others. posted is the one that this attempt
// has just started, if any.
func (e *execute) settle(ctx context.Context, key string, found []sibling, posted string) (*ExecuteAgentResult, error) {
	keeper, own := e.keep(found), 0
	result := &ExecuteAgentResult{ExecutionID: keeper.id, Status: keeper.status, ExecutionKey: key, Adopted: keeper.id != posted}
	var resisting []error
	for _, s := range found {
		if s.activity == e.activityID() {
			own++
		}
		if s.id == keeper.id || s.status.Terminal() {
			continue
		}
		if err := e.c.cancelDuplicate(ctx, s.id); err != nil {
			resisting = append(resisting, err)
			activity.GetLogger(ctx).Warn("A duplicate could not be cancelled", "executionId", s.id, "kept", keeper.id, "error", err)
			continue
		}
		e.decide(ctx, DecisionDuplicateCancelled, s.id)
		e.Cancelled = append(e.Cancelled, s.id)
		e.leaveWord(ctx)
	}
	unsettled := len(resisting) > 0
	if unsettled && e.Unsettled.IsZero() {
		e.Unsettled = e.now()
	}
	if unsettled && e.now().Sub(e.Unsettled) < e.grace {
		e.Doubtful = max(e.Doubtful, 1) // the next attempt looks, and tries again
		return nil, e.lookFailed(ctx, errors.Join(resisting...), key)
	}
	if result.Adopted {
		e.decide(ctx, DecisionAdopted, keeper.id)
	}
	result.MayHaveLateDuplicate = unsettled || e.Doubtful > own || posted != "" && e.shared()
	result.DuplicatesCancelled, result.Decisions = e.Cancelled, e.Decided
	result.Events = e.eventsOf(ctx, keeper)
	return result, nil
}

// keep chooses the execution to go on with: the oldest that is this start's own, whatever has become of it, or that is going
// on or has completed. Where others may share the key, a failed one of one's own counts last: they choose among
// the same executions, and must not choose otherwise.
func (e *execute) keep(found []sibling) sibling {
	for _, s := range found {
		if !s.history() || e.started(s) && !e.shared() {
			return s
		}
	}
	for _, s := range found {
		if e.started(s) {
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
	seen, whole := int64(0), false
	for page := int32(1); page <= maxLookupPages && !whole; page++ {
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
			if metadata[MetadataExecutionKey] == key && plainID(item.ID) && (strings.EqualFold(item.AgentID, agentID) || strings.EqualFold(value(item.WorkflowID), agentID)) {
				all = append(all, sibling{item.ID, Status(item.Status), item.CreatedAt, value(item.ParentExecutionID), starterOf(metadata)})
			}
		}
		seen += int64(len(listed.Items))
		// A service may make its pages smaller than asked for.
		whole = len(listed.Items) == 0 || seen >= listed.Total && (listed.Total > 0 || len(listed.Items) < lookupPageSize)
	}
	if !whole {
		return nil, &failure{call: call{operation: "ExecutionsList"}, connection: c.name, message: fmt.Sprintf("lists more than %d pages for one key", maxLookupPages)}
	}
	return c.originals(ctx, all)
}

// originals drops reruns. Where nothing else is left, what they are reruns of is read.
func (c *connection) originals(ctx context.Context, all []sibling) ([]sibling, error) {
	originals := slices.DeleteFunc(slices.Clone(all), func(s sibling) bool { return s.parent != "" })
	if len(originals) == 0 && len(all) > 0 {
		original, err := c.originalOf(ctx, all[0])
		if failed, ok := errors.AsType[*failure](err); ok && failed.status == http.StatusNotFound {
			return nil, nil // somebody has deleted it; that it is too new to be read is out of question, having a rerun
		}
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
			return sibling{id: e.ExecutionID, status: e.Status, created: e.CreatedAt, starter: rerun.starter}, nil
		}
		id = e.ParentExecutionID
	}
	return sibling{}, &failure{call: call{operation: "ExecutionGet", executionID: rerun.id}, connection: c.name,
		message: fmt.Sprintf("is a rerun of a rerun more than %d times", maxLookupPages)}
}

// cancelDuplicate ends an execution and makes sure that it is over.
func (c *connection) cancelDuplicate(ctx context.Context, id string) error {
	status, err := c.setStatus(ctx, id, StatusCancelled)
	if err == nil && !status.Terminal() {
		err = &failure{call: call{operation: "ExecutionStatusUpdate", executionID: id}, connection: c.name, message: "accepted, but the execution is still " + string(status)}
	}
	return err
}
