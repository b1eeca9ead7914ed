package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/api"
	"github.com/temporal-asteroid/asteroid/internal/budget"
)

const (
	// maxLogEntries is how many of the newest entries of an execution's log are read.
	maxLogEntries = 50
	// maxLogEntriesUntil bounds the search for an entry that is not among them.
	maxLogEntriesUntil = 2000
)

// ClockSkew is the tolerated difference between the service's clock and Temporal's.
const ClockSkew = 5 * time.Second

// FillReason sets e.Reason, e.Questions, e.StatusChangedAt and e.Asking where the status has a
// reason and they are not set yet. Only the execution's log holds them. When the service refuses
// the log, they stay empty: the status itself matters more.
func (c *Client) FillReason(ctx context.Context, e *asteroid.Execution) error {
	withReason := []asteroid.Status{
		asteroid.StatusPaused, asteroid.StatusPausedByAgent, asteroid.StatusAwaitingConfirmation, asteroid.StatusFailed, asteroid.StatusCancelled,
	}
	if !e.StatusChangedAt.IsZero() || !slices.Contains(withReason, e.Status) {
		return nil
	}
	entries, err := c.logUntil(ctx, e.ExecutionID, statusEntry(e.Status))
	if rejected(err) {
		return nil
	}
	if err == nil {
		fillReason(e, entries)
	}
	return err
}

// statusEntry matches the entries that may tell of the status. A question is told by the newest
// entry of any status: the entries may lag behind the status, and then tell of an earlier question.
func statusEntry(status asteroid.Status) func(logEntry) bool {
	return func(entry logEntry) bool {
		return entry.kind == "status_changed" && (status.NeedsHuman() || entry.status() == status)
	}
}

// fillReason is FillReason with the newest entries of the log.
func fillReason(e *asteroid.Execution, entries []logEntry) {
	i := slices.IndexFunc(entries, statusEntry(e.Status))
	switch {
	case i >= 0 && entries[i].status() == e.Status:
		e.Reason, e.Questions = asked(entries[i:])
		e.StatusChangedAt, e.Asking = entries[i].timestamp, askingOf(e.ExecutionID, entries[i])
	case i < 0 && e.Status == asteroid.StatusPausedByAgent:
		e.Reason = actionText(entries)
	}
}

// asked returns the reason and the questions of the first entry.
func asked(entries []logEntry) (string, []asteroid.Question) {
	reason, questions := entries[0].reason()
	if entries[0].status() == asteroid.StatusPausedByAgent && reason == "" && len(questions) == 0 {
		reason = actionText(entries)
	}
	return reason, questions
}

// actionText returns the message of the newest action. Older services give the question only there.
func actionText(entries []logEntry) string {
	i := slices.IndexFunc(entries, func(entry logEntry) bool { return entry.kind == "action_started" })
	if i < 0 {
		return ""
	}
	return entries[i].text("message")
}

// logEntry is one of Asteroid's activities. Its members depend on the kind.
type logEntry struct {
	id        string
	kind      string
	timestamp time.Time
	members
}

// logUntil returns the newest entries of an execution's log, the newest first. If none of
// maxLogEntries is wanted, it returns up to maxLogEntriesUntil, provided that one of those is.
func (c *Client) logUntil(ctx context.Context, executionID string, wanted func(logEntry) bool) ([]logEntry, error) {
	newest, err := c.log(ctx, executionID, maxLogEntries)
	if err != nil || len(newest) < maxLogEntries || slices.ContainsFunc(newest, wanted) {
		return newest, err
	}
	more, err := c.log(ctx, executionID, maxLogEntriesUntil)
	if err != nil || !slices.ContainsFunc(more, wanted) {
		return newest, nil //nolint:nilerr // the newest were read
	}
	return more, nil
}

// OutputNode returns the name of the output node that ended an execution, or nothing if its log
// does not show it.
func (c *Client) OutputNode(ctx context.Context, executionID string) (string, error) {
	ended := func(entry logEntry) bool {
		return entry.kind == "transitioned_node" && entry.text("newNodeType") == "output"
	}
	entries, err := c.logUntil(ctx, executionID, ended)
	if i := slices.IndexFunc(entries, ended); err == nil && i >= 0 {
		return entries[i].text("newNodeName"), nil
	}
	return "", err
}

// log reads the newest activities of an execution, the newest first. It skips what it cannot
// decode. It reads fewer if so many are too large, and none if the newest one is.
func (c *Client) log(ctx context.Context, executionID string, limit int32) ([]logEntry, error) {
	for ; limit > 0; limit /= 2 {
		entries, err := c.readLog(ctx, executionID, limit)
		if !errors.Is(err, ErrTooLarge) {
			return entries, err
		}
	}
	return nil, nil
}

func (c *Client) readLog(ctx context.Context, executionID string, limit int32) ([]logEntry, error) {
	order := api.ExecutionActivitiesGetParamsOrderDesc
	op := Operation{Name: "ExecutionActivitiesGet", executionID: executionID, maxResponse: budget.ExecutionResponse}
	activities, err := c.fetchItems(ctx, op, func(ctx context.Context) (*http.Response, error) {
		return c.api.ExecutionActivitiesGet(ctx, executionID, &api.ExecutionActivitiesGetParams{Order: &order, Limit: &limit})
	}, anySuccess)
	entries := make([]logEntry, len(activities))
	for i, activity := range activities {
		payload := activity.object("payload")
		entries[i] = logEntry{activity.text("id"), payload.text("activityType"), activity.time("timestamp"), payload}
		// Until November 2025 the members stood one level deeper.
		if nested := payload.object("data"); nested != nil {
			entries[i].members = nested
		}
	}
	return entries, err
}

// reason returns why the status changed, and what the agent asks.
func (entry logEntry) reason() (string, []asteroid.Question) {
	if failed := entry.object("failedPayload"); failed != nil {
		reason := failed.text("reason")
		if message := failed.object("os_error").text("message"); message != "" {
			reason += fmt.Sprintf(" (%s)", message)
		}
		return reason, nil
	}
	for _, name := range []string{"cancelledPayload", "awaitingConfirmationPayload"} {
		if detail := entry.object(name); detail != nil {
			return detail.text("reason"), nil
		}
	}
	paused := entry.object("pausedPayload")
	return paused.text("reason"), questions(paused.object("question"))
}

func questions(asked members) []asteroid.Question {
	var questions []asteroid.Question
	for _, q := range asked.objects("questions") {
		question := asteroid.Question{Question: q.text("question"), Header: q.text("header"), MultiSelect: q.flag("multiSelect")}
		for _, o := range q.objects("options") {
			question.Options = append(question.Options, asteroid.QuestionOption{Label: o.text("label"), Description: o.text("description")})
		}
		questions = append(questions, question)
	}
	return questions
}

func (entry logEntry) asks() bool {
	return entry.kind == "status_changed" && entry.status().NeedsHuman()
}

// askingOf identifies what a log entry asks: the execution, the words, the time and the entry. It
// is empty for an entry that asks nothing or has no time.
func askingOf(executionID string, entry logEntry) string {
	if !entry.asks() || entry.timestamp.IsZero() {
		return ""
	}
	reason, questions := entry.reason()
	identity, _ := json.Marshal([]any{ // strings, times and structs of them always marshal
		strings.ToLower(executionID), entry.id, entry.status(), entry.timestamp.UTC(), reason, questions,
	})
	const length = 12 // people copy it
	sum := sha256.Sum256(identity)
	return hex.EncodeToString(sum[:])[:length]
}
