package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
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

// FillReason sets e.Reason, e.Questions and e.StatusChangedAt where the status has a reason and
// they are not set yet. Only the execution's log holds them. When the service refuses the log, they
// stay empty: the status itself matters more.
func (c *Client) FillReason(ctx context.Context, e *asteroid.Execution) error {
	withReason := []asteroid.Status{
		asteroid.StatusPaused, asteroid.StatusPausedByAgent, asteroid.StatusAwaitingConfirmation, asteroid.StatusFailed, asteroid.StatusCancelled,
	}
	if !e.StatusChangedAt.IsZero() || !slices.Contains(withReason, e.Status) {
		return nil
	}
	changed := func(entry logEntry) bool {
		return entry.kind == "status_changed" && entry.status() == e.Status
	}
	entries, err := c.logUntil(ctx, e.ExecutionID, changed)
	if rejected(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(entries, changed); i >= 0 {
		e.Reason, e.Questions = entries[i].reason()
		e.StatusChangedAt = entries[i].timestamp
	}
	if e.Status == asteroid.StatusPausedByAgent && e.Reason == "" && len(e.Questions) == 0 {
		// Older services give the question only in the message of the action that asked it.
		if i := slices.IndexFunc(entries, func(entry logEntry) bool { return entry.kind == "action_started" }); i >= 0 {
			e.Reason = entries[i].text("message")
		}
	}
	return nil
}

// MessageReceived reports whether the execution's log has the message, received at since or later.
// Only the newest 50 entries count.
func (c *Client) MessageReceived(ctx context.Context, executionID, message string, since time.Time) (bool, error) {
	entries, err := c.log(ctx, executionID, maxLogEntries)
	return slices.ContainsFunc(entries, func(entry logEntry) bool {
		return entry.kind == "user_message_received" && entry.text("message") == message && entry.timestamp.After(since.Add(-ClockSkew))
	}), err
}

// logEntry is one of Asteroid's activities. Its members depend on the kind.
type logEntry struct {
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
		entries[i] = logEntry{payload.text("activityType"), activity.time("timestamp"), payload}
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
