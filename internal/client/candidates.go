package client

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// Candidate is an execution that carries an intent's execution key.
type Candidate struct {
	Summary
	Origin
}

// Origin identifies what started an execution, from its metadata. A member may be empty.
type Origin struct {
	Key, Request                             string
	Namespace, WorkflowID, RunID, ActivityID string
	Signal                                   string
}

// OriginOf reads an Origin from metadata.
func OriginOf(metadata map[string]string) Origin {
	return Origin{
		Key: metadata[asteroid.MetadataExecutionKey], Request: metadata[asteroid.MetadataRequest],
		Namespace: metadata[asteroid.MetadataNamespace], WorkflowID: metadata[asteroid.MetadataWorkflowID],
		RunID: metadata[asteroid.MetadataRunID], ActivityID: metadata[asteroid.MetadataActivityID],
		Signal: metadata[asteroid.MetadataSignal],
	}
}

// Superseded reports whether the execution failed or was cancelled, so that another may replace it.
func (c Candidate) Superseded() bool {
	return c.Status == asteroid.StatusFailed || c.Status == asteroid.StatusCancelled
}

// maxLookupPages bounds an endless list. An intent has one execution and a handful of reruns.
const maxLookupPages = 100

// Candidates returns the executions whose metadata has exactly this key, the oldest first, without
// reruns. agentID narrows the list unless it is empty. A rerun whose original is not listed leads
// to the original.
func (c *Client) Candidates(ctx context.Context, agentID, key string) ([]Candidate, error) {
	listed, err := c.listAll(ctx, ListQuery{AgentID: agentID, MetadataKey: asteroid.MetadataExecutionKey, MetadataValue: key})
	if err != nil {
		return nil, err
	}
	return c.originals(ctx, slices.DeleteFunc(listed, func(found Candidate) bool {
		return agentID != "" && !found.IsOf(agentID)
	}))
}

// ActiveStatuses are those of an execution that is not terminal.
var ActiveStatuses = []asteroid.Status{
	asteroid.StatusQueued, asteroid.StatusStarting, asteroid.StatusRunning,
	asteroid.StatusPaused, asteroid.StatusPausedByAgent, asteroid.StatusAwaitingConfirmation,
}

// ActiveOfChain returns the executions at work that a chain of workflow runs started, without
// reruns.
func (c *Client) ActiveOfChain(ctx context.Context, firstRunID string) ([]Candidate, error) {
	listed, err := c.listAll(ctx, ListQuery{MetadataKey: asteroid.MetadataFirstRunID, MetadataValue: firstRunID, Statuses: ActiveStatuses})
	return slices.DeleteFunc(listed, func(found Candidate) bool {
		return found.Terminal || found.ParentExecutionID != ""
	}), err
}

// listAll lists all executions that have the query's value of a metadata key.
func (c *Client) listAll(ctx context.Context, query ListQuery) (found []Candidate, err error) {
	// The organization narrows the list, and nothing else: a key that may not ask for it, or spans
	// several, has to find an agent that is running all the same.
	query.OrganizationID, _ = c.VisibleOrganization(ctx)
	listed, complete := int64(0), false
	// In ascending order, so that new executions do not shift the pages.
	for number := int32(1); number <= maxLookupPages && !complete; number++ {
		page, err := c.List(ctx, query, number)
		if err != nil {
			return nil, err
		}
		for _, e := range page.Items {
			// Filtered here too: the API does not say how exactly the service matches.
			if e.Metadata[query.MetadataKey] == query.MetadataValue && text.PlainID(e.ID) {
				found = append(found, Candidate{e, OriginOf(e.Metadata)})
			}
		}
		listed += int64(page.Listed)
		complete = lastPage(int64(page.Listed), listed, page.Total)
	}
	if !complete {
		return nil, c.errorf(Operation{Name: "ExecutionsList"}, "returned more than %d pages for one value of %s", maxLookupPages, query.MetadataKey)
	}
	return found, nil
}

// originals drops reruns and sorts the rest by creation. If all are reruns, it reads the original
// of the first that has one.
func (c *Client) originals(ctx context.Context, candidates []Candidate) ([]Candidate, error) {
	originals := slices.DeleteFunc(slices.Clone(candidates), func(candidate Candidate) bool { return candidate.ParentExecutionID != "" })
	for i := 0; i < len(candidates) && len(originals) == 0; i++ {
		var err error
		if originals, err = c.originalOf(ctx, candidates[i]); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(originals, byAge)
	return originals, nil
}

func byAge(a, b Candidate) int {
	return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
}

// WithUnlisted adds an execution, which it reads, to the candidates that it competes with. The
// service may list it late. Without competitors, and if it exists no more, it adds nothing.
func (c *Client) WithUnlisted(ctx context.Context, candidates []Candidate, id string) ([]Candidate, error) {
	if len(candidates) == 0 || slices.ContainsFunc(candidates, func(found Candidate) bool { return found.ID == id }) {
		return candidates, nil
	}
	unlisted, err := c.ReadSummary(ctx, id)
	if HasStatus(err, http.StatusNotFound) {
		return candidates, nil
	}
	if err != nil {
		return nil, err
	}
	candidates = append(candidates, Candidate{unlisted, OriginOf(unlisted.Metadata)})
	slices.SortFunc(candidates, byAge)
	return candidates, nil
}

// originalOf follows parentExecutionId to the execution that is no rerun. There is none if it was
// deleted, since an original that has a rerun is not too new to be read, and if the parent has
// another agent or key: anybody may name any parent.
func (c *Client) originalOf(ctx context.Context, rerun Candidate) ([]Candidate, error) {
	for id, steps := rerun.ParentExecutionID, 0; steps < maxLookupPages; steps++ {
		e, err := c.ReadSummary(ctx, id)
		if HasStatus(err, http.StatusNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if origin := OriginOf(e.Metadata); !e.IsOf(cmp.Or(rerun.AgentID, rerun.Summary.WorkflowID)) || origin.Key != rerun.Key {
			return nil, nil
		} else if e.ParentExecutionID == "" {
			return []Candidate{{e, origin}}, nil
		}
		id = e.ParentExecutionID
	}
	return nil, c.errorf(Operation{Name: "ExecutionGet", executionID: rerun.ID},
		"found no original execution within %d reruns of reruns", maxLookupPages)
}

// CancelDuplicate cancels an execution. It fails unless the execution is terminal afterwards.
func (c *Client) CancelDuplicate(ctx context.Context, id string) error {
	e, _, err := c.setStatus(ctx, id, asteroid.StatusCancelled)
	if err == nil && !e.Terminal() {
		err = c.errorf(Operation{Name: "ExecutionStatusUpdate", executionID: id}, "was accepted, but the execution is still %s", e.Status)
	}
	return err
}
