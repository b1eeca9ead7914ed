package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/api"
)

// newestActivities is how many activities are looked at for the newest change of status.
const newestActivities = 50

// addReason reads why an execution has the status it has, where a status has a reason; only the activities tell
// (NOTES "Status machine"). An execution whose activities are refused or gone keeps an empty reason: the status itself
// is what matters.
func (c *Client) AddReason(ctx context.Context, e *asteroid.Execution) error {
	if !e.StatusChangedAt.IsZero() {
		return nil // it has been read
	}
	switch e.Status {
	case asteroid.StatusPaused, asteroid.StatusPausedByAgent, asteroid.StatusAwaitingConfirmation, asteroid.StatusFailed, asteroid.StatusCancelled:
	default:
		return nil
	}
	activities, err := c.activities(ctx, e.ExecutionID)
	var failed *Error
	switch {
	case errors.As(err, &failed) && failed.Outcome() == OutcomeRejected && failed.Status != http.StatusTooManyRequests:
		return nil
	case err != nil:
		return err
	}
	for _, payload := range activities {
		if payload.ActivityType == "status_changed" && asteroid.Status(payload.Status) == e.Status {
			e.Reason, e.Questions = payload.reason()
			e.StatusChangedAt = payload.timestamp
			break
		}
	}
	if e.Status == asteroid.StatusPausedByAgent && e.Reason == "" && len(e.Questions) == 0 {
		// Older servers tell the question only as the message of the action that asked it.
		for _, payload := range activities {
			if payload.ActivityType == "action_started" {
				e.Reason = payload.Message
				break
			}
		}
	}
	return nil
}

// activityPayload has the members that are of interest here, of every kind of activity.
type activityPayload struct {
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

// activities reads the newest activities, newest first. One of an unknown kind or form is passed over.
func (c *Client) activities(ctx context.Context, executionID string) ([]activityPayload, error) {
	limit, order := int32(newestActivities), api.ExecutionActivitiesGetParamsOrderDesc
	what := Operation{Name: "ExecutionActivitiesGet", executionID: executionID}
	raw, err := fetch[[]api.Activity](ctx, c, what, func(ctx context.Context) (*http.Response, error) {
		return c.api.ExecutionActivitiesGet(ctx, executionID, &api.ExecutionActivitiesGetParams{Order: &order, Limit: &limit})
	}, http.StatusOK)
	if err != nil {
		return nil, err
	}
	var payloads []activityPayload
	for _, activity := range raw {
		// Until November 2025 a payload's members stood one level deeper.
		var older struct {
			Data *activityPayload `json:"data"`
		}
		var payload activityPayload
		if json.Unmarshal(activity.Payload, &payload) != nil {
			continue
		}
		if json.Unmarshal(activity.Payload, &older) == nil && older.Data != nil {
			kind := payload.ActivityType
			payload = *older.Data
			payload.ActivityType = kind
		}
		payload.timestamp = activity.Timestamp
		payloads = append(payloads, payload)
	}
	return payloads, nil
}

func (p *activityPayload) reason() (string, []asteroid.Question) {
	switch {
	case p.FailedPayload != nil:
		reason := p.FailedPayload.Reason
		if os := p.FailedPayload.OsError; os != nil && os.Message != "" {
			reason += fmt.Sprintf(" (%s)", os.Message)
		}
		return reason, nil
	case p.CancelledPayload != nil:
		return string(p.CancelledPayload.Reason), nil
	case p.AwaitingConfirmationPayload != nil:
		return p.AwaitingConfirmationPayload.Reason, nil
	case p.PausedPayload != nil:
		return p.PausedPayload.Reason, questions(p.PausedPayload.Question)
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
