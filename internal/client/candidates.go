package client

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// Candidate is an execution that carries an intent's execution key.
type Candidate struct {
	ID        string
	Status    asteroid.Status
	CreatedAt time.Time
	parentID  string // of a rerun
	Origin
}

// Origin identifies what started an execution, from its metadata. A member may be empty.
type Origin struct{ Namespace, WorkflowID, RunID, ActivityID, Signal string }

// OriginOf reads an Origin from metadata.
func OriginOf(metadata map[string]string) Origin {
	return Origin{
		metadata[asteroid.MetadataNamespace], metadata[asteroid.MetadataWorkflowID], metadata[asteroid.MetadataRunID],
		metadata[asteroid.MetadataActivityID], metadata[asteroid.MetadataSignal],
	}
}

// Superseded reports whether the execution failed or was cancelled, so that another may replace it.
func (c Candidate) Superseded() bool {
	return c.Status == asteroid.StatusFailed || c.Status == asteroid.StatusCancelled
}

// maxLookupPages bounds an endless list. An intent has one execution and a handful of reruns.
const maxLookupPages = 100

// Candidates returns the executions of an agent whose metadata has exactly this key, the oldest
// first, without reruns. earliest bounds their creation time unless it is zero. A rerun whose
// original is not listed leads to the original.
func (c *Client) Candidates(ctx context.Context, agentID, key string, earliest time.Time) ([]Candidate, error) {
	// The organization narrows the list, and nothing else: a key that may not ask for it, or spans
	// several, has to find an agent that is running all the same.
	organizationID, _ := c.VisibleOrganization(ctx)
	var candidates []Candidate
	// In ascending order, so that new executions do not shift the pages.
	query := ListQuery{OrganizationID: organizationID, AgentID: agentID, MetadataKey: asteroid.MetadataExecutionKey, MetadataValue: key, CreatedAfter: earliest}
	listed, complete := int64(0), false
	for number := int32(1); number <= maxLookupPages && !complete; number++ {
		page, err := c.List(ctx, query, number)
		if err != nil {
			return nil, err
		}
		for _, e := range page.Items {
			// Filtered here too: the API does not say how exactly the service matches.
			if e.Metadata[asteroid.MetadataExecutionKey] == key && text.PlainID(e.ID) && e.isOf(agentID) {
				candidates = append(candidates, Candidate{e.ID, e.Status, e.CreatedAt, e.ParentExecutionID, OriginOf(e.Metadata)})
			}
		}
		listed += int64(page.Listed)
		// Pages may be smaller than requested.
		complete = page.Listed == 0 || listed >= page.Total && (page.Total > 0 || page.Listed < ListPageSize)
	}
	if !complete {
		return nil, c.errorf(Operation{Name: "ExecutionsList"}, "returned more than %d pages for one execution key", maxLookupPages)
	}
	return c.originals(ctx, candidates)
}

// originals drops reruns and sorts the rest by creation. If all are reruns, it reads their
// original.
func (c *Client) originals(ctx context.Context, candidates []Candidate) ([]Candidate, error) {
	originals := slices.DeleteFunc(slices.Clone(candidates), func(candidate Candidate) bool { return candidate.parentID != "" })
	if len(originals) == 0 && len(candidates) > 0 {
		original, err := c.originalOf(ctx, candidates[0])
		if HasStatus(err, http.StatusNotFound) {
			return nil, nil // deleted: an original that has a rerun is not too new to be read
		}
		if err != nil {
			return nil, err
		}
		originals = []Candidate{original}
	}
	slices.SortFunc(originals, func(a, b Candidate) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return originals, nil
}

// originalOf follows parentExecutionId to the execution that is no rerun.
func (c *Client) originalOf(ctx context.Context, rerun Candidate) (Candidate, error) {
	for id, steps := rerun.parentID, 0; steps < maxLookupPages; steps++ {
		e, err := c.Execution(ctx, id)
		if err != nil {
			return Candidate{}, err
		}
		if e.ParentExecutionID == "" {
			// A rerun has a copy of its original's metadata.
			return Candidate{ID: e.ExecutionID, Status: e.Status, CreatedAt: e.CreatedAt, Origin: rerun.Origin}, nil
		}
		id = e.ParentExecutionID
	}
	return Candidate{}, c.errorf(Operation{Name: "ExecutionGet", executionID: rerun.ID},
		"found no original execution within %d reruns of reruns", maxLookupPages)
}

// CancelDuplicate cancels an execution. It fails unless the execution is terminal afterwards.
func (c *Client) CancelDuplicate(ctx context.Context, id string) error {
	e, err := c.SetStatus(ctx, id, asteroid.StatusCancelled)
	if err == nil && !e.Terminal() {
		err = c.errorf(Operation{Name: "ExecutionStatusUpdate", executionID: id}, "was accepted, but the execution is still %s", e.Status)
	}
	return err
}
