package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// sibling is an execution of the same intent.
type Candidate struct {
	ID      string
	Status  asteroid.Status
	Created time.Time
	parent  string // of a rerun
	Origin
}

// starter is what an execution's metadata tells of who started it.
type Origin struct{ Namespace, WorkflowID, RunID, ActivityID, Signal string }

func OriginOf(metadata map[string]any) Origin {
	text := func(name string) string { text, _ := metadata[name].(string); return text }
	return Origin{text(asteroid.MetadataNamespace), text(asteroid.MetadataWorkflowID), text(asteroid.MetadataRunID), text(asteroid.MetadataActivityID), text(asteroid.MetadataSignal)}
}

// history reports whether a run counts for its intent no more.
func (s Candidate) Superseded() bool {
	return s.Status == asteroid.StatusFailed || s.Status == asteroid.StatusCancelled
}

// maxLookupPages ends a listing that never does. An intent has one execution and a handful of reruns.
const maxLookupPages = 100

// siblings lists the executions of an agent whose metadata holds exactly this key, the oldest first, reruns aside. A
// rerun whose original the list does not show leads to it.
func (c *Client) Candidates(ctx context.Context, agentID, key string, earliest time.Time) ([]Candidate, error) {
	organizationID, err := c.organization(ctx)
	if err != nil && !asteroid.IsInvalidInput(err) {
		return nil, err
	}
	// A key that spans several organizations executes without saying which, so it is not needed for a look either: to
	// give up here would be to lose an agent that may be running.
	var all []Candidate
	// The oldest first, so that what is created meanwhile does not shift the pages.
	query := ListQuery{OrganizationID: organizationID, AgentID: agentID, MetadataKey: asteroid.MetadataExecutionKey, MetadataValue: key, CreatedAfter: earliest}
	seen, whole := int64(0), false
	for page := int32(1); page <= maxLookupPages && !whole; page++ {
		listed, err := c.List(ctx, query, page)
		if err != nil {
			return nil, err
		}
		for _, item := range listed.Items {
			// Compared here as well: how exactly the service matches is not published.
			if item.Metadata[asteroid.MetadataExecutionKey] == key && text.PlainID(item.ID) && item.isOf(agentID) {
				all = append(all, Candidate{item.ID, item.Status, item.CreatedAt, item.ParentExecutionID, OriginOf(item.Metadata)})
			}
		}
		seen += int64(len(listed.Items))
		// A service may make its pages smaller than asked for.
		whole = len(listed.Items) == 0 || seen >= listed.Total && (listed.Total > 0 || len(listed.Items) < ListPageSize)
	}
	if !whole {
		return nil, &Error{Operation: Operation{Name: "ExecutionsList"}, Connection: c.Name, Message: fmt.Sprintf("lists more than %d pages for one key", maxLookupPages)}
	}
	return c.originals(ctx, all)
}

// originals drops reruns. Where nothing else is left, what they are reruns of is read.
func (c *Client) originals(ctx context.Context, all []Candidate) ([]Candidate, error) {
	originals := slices.DeleteFunc(slices.Clone(all), func(s Candidate) bool { return s.parent != "" })
	if len(originals) == 0 && len(all) > 0 {
		original, err := c.originalOf(ctx, all[0])
		if failed, ok := errors.AsType[*Error](err); ok && failed.Status == http.StatusNotFound {
			return nil, nil // somebody has deleted it; that it is too new to be read is out of question, having a rerun
		}
		if err != nil {
			return nil, err
		}
		originals = []Candidate{original}
	}
	slices.SortFunc(originals, func(a, b Candidate) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) })
	return originals, nil
}

// originalOf follows parentExecutionId to its end.
func (c *Client) originalOf(ctx context.Context, rerun Candidate) (Candidate, error) {
	for id, steps := rerun.parent, 0; steps < maxLookupPages; steps++ {
		e, err := c.Execution(ctx, id)
		if err != nil {
			return Candidate{}, err
		}
		if e.ParentExecutionID == "" {
			// What a rerun has copied of the metadata is the original's.
			return Candidate{ID: e.ExecutionID, Status: e.Status, Created: e.CreatedAt, Origin: rerun.Origin}, nil
		}
		id = e.ParentExecutionID
	}
	return Candidate{}, &Error{Operation: Operation{Name: "ExecutionGet", executionID: rerun.ID}, Connection: c.Name,
		Message: fmt.Sprintf("is a rerun of a rerun more than %d times", maxLookupPages)}
}

// cancelDuplicate ends an execution and makes sure that it is over.
func (c *Client) CancelDuplicate(ctx context.Context, id string) error {
	status, err := c.SetStatus(ctx, id, asteroid.StatusCancelled)
	if err == nil && !status.Terminal() {
		err = &Error{Operation: Operation{Name: "ExecutionStatusUpdate", executionID: id}, Connection: c.Name, Message: "accepted, but the execution is still " + string(status)}
	}
	return err
}
