package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/api"
)

// maxLogEntries is how many of the newest entries of an execution's log are read.
const maxLogEntries = 50

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
	entries, err := c.log(ctx, e.ExecutionID)
	if rejected(err) {
		return nil
	}
	if err != nil {
		return err
	}
	changed := func(entry logEntry) bool {
		return entry.ActivityType == "status_changed" && asteroid.Status(entry.Status) == e.Status
	}
	if i := slices.IndexFunc(entries, changed); i >= 0 {
		e.Reason, e.Questions = entries[i].reason()
		e.StatusChangedAt = entries[i].timestamp
	}
	if e.Status == asteroid.StatusPausedByAgent && e.Reason == "" && len(e.Questions) == 0 {
		// Older services give the question only in the message of the action that asked it.
		if i := slices.IndexFunc(entries, func(entry logEntry) bool { return entry.ActivityType == "action_started" }); i >= 0 {
			e.Reason = entries[i].Message
		}
	}
	return nil
}

// MessageReceived reports whether the execution's log has the message, received at since or later.
// Only the newest 50 entries count.
func (c *Client) MessageReceived(ctx context.Context, executionID, message string, since time.Time) (bool, error) {
	entries, err := c.log(ctx, executionID)
	return slices.ContainsFunc(entries, func(entry logEntry) bool {
		return entry.ActivityType == "user_message_received" && entry.Message == message && entry.timestamp.After(since.Add(-ClockSkew))
	}), err
}

// logEntry has the members that this package reads, of every type of Asteroid's activities.
type logEntry struct {
	ActivityType                string               `json:"activityType"`
	Message                     string               `json:"message"`
	Status                      string               `json:"status"`
	FileName                    string               `json:"fileName"`
	Source                      string               `json:"source"`
	FailedPayload               *api.FailedDetail    `json:"failedPayload"`
	PausedPayload               *api.PausedDetail    `json:"pausedPayload"`
	AwaitingConfirmationPayload *api.ReasonDetail    `json:"awaitingConfirmationPayload"`
	CancelledPayload            *api.CancelledDetail `json:"cancelledPayload"`

	timestamp time.Time
}

// log reads the newest activities of an execution, the newest first. It skips what it cannot
// decode.
func (c *Client) log(ctx context.Context, executionID string) ([]logEntry, error) {
	limit, order := int32(maxLogEntries), api.ExecutionActivitiesGetParamsOrderDesc
	op := Operation{Name: "ExecutionActivitiesGet", executionID: executionID}
	activities, err := fetch[[]api.Activity](ctx, c, op, func(ctx context.Context) (*http.Response, error) {
		return c.api.ExecutionActivitiesGet(ctx, executionID, &api.ExecutionActivitiesGetParams{Order: &order, Limit: &limit})
	}, http.StatusOK)
	if err != nil {
		return nil, err
	}
	var entries []logEntry
	for _, activity := range activities {
		var entry logEntry
		if json.Unmarshal(activity.Payload, &entry) != nil {
			continue
		}
		// Until November 2025 the members stood one level deeper.
		var nested struct {
			Data *logEntry `json:"data"`
		}
		if json.Unmarshal(activity.Payload, &nested) == nil && nested.Data != nil {
			nested.Data.ActivityType = entry.ActivityType
			entry = *nested.Data
		}
		entry.timestamp = activity.Timestamp
		entries = append(entries, entry)
	}
	return entries, nil
}

// reason returns why the status changed, and what the agent asks.
func (entry *logEntry) reason() (string, []asteroid.Question) {
	switch {
	case entry.FailedPayload != nil:
		reason := entry.FailedPayload.Reason
		if os := entry.FailedPayload.OsError; os != nil && os.Message != "" {
			reason += fmt.Sprintf(" (%s)", os.Message)
		}
		return reason, nil
	case entry.CancelledPayload != nil:
		return string(entry.CancelledPayload.Reason), nil
	case entry.AwaitingConfirmationPayload != nil:
		return entry.AwaitingConfirmationPayload.Reason, nil
	case entry.PausedPayload != nil:
		return entry.PausedPayload.Reason, questions(entry.PausedPayload.Question)
	default:
		return "", nil
	}
}

func questions(asked *api.AskUserQuestion) []asteroid.Question {
	if asked == nil {
		return nil
	}
	questions := make([]asteroid.Question, len(asked.Questions))
	for i, q := range asked.Questions {
		questions[i] = asteroid.Question{Question: q.Question, Header: q.Header, MultiSelect: value(q.MultiSelect)}
		for _, o := range q.Options {
			questions[i].Options = append(questions[i].Options, asteroid.QuestionOption{Label: o.Label, Description: o.Description})
		}
	}
	return questions
}

// ClockSkew is the tolerated difference between the service's clock and Temporal's.
const ClockSkew = 5 * time.Second
