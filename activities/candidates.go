package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
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

// history reports whether a run counts for its intent no more.
func (s sibling) history() bool { return s.status == StatusFailed || s.status == StatusCancelled }

// maxLookupPages ends a listing that never does. An intent has one execution and a handful of reruns.
const maxLookupPages = 100

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
	query := listQuery{OrganizationID: organizationID, AgentID: agentID, MetadataKey: MetadataExecutionKey, MetadataValue: key, CreatedAfter: earliest}
	seen, whole := int64(0), false
	for page := int32(1); page <= maxLookupPages && !whole; page++ {
		listed, err := c.list(ctx, query, page)
		if err != nil {
			return nil, err
		}
		for _, item := range listed.Items {
			// Compared here as well: how exactly the service matches is not published.
			if item.Metadata[MetadataExecutionKey] == key && plainID(item.ID) && item.isOf(agentID) {
				all = append(all, sibling{item.ID, item.Status, item.CreatedAt, item.ParentExecutionID, starterOf(item.Metadata)})
			}
		}
		seen += int64(len(listed.Items))
		// A service may make its pages smaller than asked for.
		whole = len(listed.Items) == 0 || seen >= listed.Total && (listed.Total > 0 || len(listed.Items) < listPageSize)
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
