package client

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid"
)

// Mark is a point in an execution's log: an asking, an entry, or a time. The zero Mark is the
// beginning of the log.
type Mark struct {
	Asking string    `json:"asking,omitempty"`
	Entry  string    `json:"entry,omitempty"`
	Since  time.Time `json:"since,omitzero"` // the entries from then on follow the Mark
}

// Dialogue is an execution with its reason, and what its log tells of questions and messages.
type Dialogue struct {
	Execution *asteroid.Execution
	entries   []logEntry // the newest first
}

// logPages are the limits with which more and more of a log is read, until it reaches back to a
// Mark. The service has no cursor.
var logPages = []int32{maxLogEntries, 400, maxLogEntriesUntil}

// Dialogue reads an execution, and then its log back to the mark, or at most the newest 2,000
// entries. With the zero Mark it reads the newest 50, or none if the service refuses the log.
func (c *Client) Dialogue(ctx context.Context, executionID string, from Mark) (*Dialogue, error) {
	e, err := c.Execution(ctx, executionID)
	if err != nil {
		return nil, err
	}
	d := &Dialogue{Execution: e}
	if err := c.readBack(ctx, d, from); err != nil && (from != (Mark{}) || !rejected(err)) {
		return nil, err
	}
	fillReason(e, d.entries)
	return d, nil
}

// readBack reads the log back to the mark, and to what the agent asks.
func (c *Client) readBack(ctx context.Context, d *Dialogue, from Mark) (err error) {
	for _, limit := range logPages {
		if d.entries, err = c.log(ctx, d.Execution.ExecutionID, limit); err != nil {
			return err
		}
		marked := from == (Mark{}) || d.find(from) >= 0
		asked := !d.Execution.Status.NeedsHuman() || slices.ContainsFunc(d.entries, statusEntry(d.Execution.Status))
		if marked && asked || len(d.entries) < int(limit) {
			break
		}
	}
	return nil
}

// find returns the index of the newest entry that does not follow the mark, -1 without one.
func (d *Dialogue) find(from Mark) int {
	for i, entry := range d.entries {
		switch {
		case from.Asking != "" && askingOf(d.Execution.ExecutionID, entry) == from.Asking,
			from.Entry != "" && entry.id == from.Entry,
			!entry.timestamp.IsZero() && entry.timestamp.Before(from.Since):
			return i
		}
	}
	return -1
}

// after returns the index of the oldest entry that follows the mark, -1 when there is none. Of an
// asking that the log does not show no entry follows.
func (d *Dialogue) after(from Mark) int {
	switch i := d.find(from); {
	case i >= 0:
		return i - 1
	case from.Asking != "":
		return -1
	default:
		return len(d.entries) - 1
	}
}

// Newest marks the newest entry.
func (d *Dialogue) Newest() Mark {
	switch {
	case len(d.entries) == 0:
		return Mark{}
	case d.entries[0].id != "":
		return Mark{Entry: d.entries[0].id}
	default:
		return Mark{Since: d.entries[0].timestamp.Add(1)}
	}
}

// Consistent reports whether execution and log agree on whether the agent asks something, and what.
// They do not while the status changes, and while the log cannot be read.
func (d *Dialogue) Consistent() bool {
	e := d.Execution
	if e.Status.NeedsHuman() {
		return e.Asking != ""
	}
	i := slices.IndexFunc(d.entries, statusEntry(asteroid.StatusPausedByAgent))
	return i < 0 || e.Terminal() || !d.entries[i].status().NeedsHuman()
}

// Placed looks for a message since the mark, and reports whether it came while the agent asked what
// it is for, and whether it came at another time. A question takes one answer.
func (d *Dialogue) Placed(from Mark, asking, message string) (right, elsewhere bool) {
	asks, answered, question := asking, false, d.isQuestion(asking) // where the log stands
	for i := d.after(from); i >= 0; i-- {
		switch entry := d.entries[i]; {
		case entry.asks():
			asks, answered = askingOf(d.Execution.ExecutionID, entry), false
			question = entry.status() == asteroid.StatusPausedByAgent
		case entry.kind == "status_changed" && asking == "":
			asks = "" // a message to an agent at work answers nothing
		case entry.kind == "user_message_received":
			here := asks == asking && !answered
			if entry.isMessage(message) {
				right, elsewhere = right || here, elsewhere || !here
			}
			answered = asks != "" && question
		}
	}
	return right, elsewhere
}

// isQuestion reports whether an asking is a question. A confirmation takes any number of messages.
func (d *Dialogue) isQuestion(asking string) bool {
	if i := d.find(Mark{Asking: asking}); i >= 0 {
		return d.entries[i].status() == asteroid.StatusPausedByAgent
	}
	return d.Execution.Status == asteroid.StatusPausedByAgent
}

// Answer returns the message that has answered the asking, if one has.
func (d *Dialogue) Answer(asking string) (answer string, answered bool) {
	i := d.find(Mark{Asking: asking})
	answers := d.answers(asking)
	if i < 0 || len(answers) == 0 || d.entries[i].status() != asteroid.StatusPausedByAgent {
		return "", false
	}
	return answers[0], true
}

// answers returns the messages since the asking until the next one. A question takes the first of
// them. A confirmation takes none.
func (d *Dialogue) answers(asking string) []string {
	i := d.find(Mark{Asking: asking})
	if i < 0 {
		return nil
	}
	question := d.entries[i].status() == asteroid.StatusPausedByAgent
	var answers []string
	for i--; i >= 0; i-- {
		switch entry := d.entries[i]; {
		case entry.asks():
			return answers
		case entry.kind == "user_message_received":
			if answers = append(answers, entry.text("message")); question {
				return answers
			}
		}
	}
	return answers
}

// Misplaced reads the log again after a message for the asking, or for none, was sent, and reports
// whether the order of its entries shows that the agent may have taken the message for something
// else. It reports false if the log cannot be read or does not show the message.
func (c *Client) Misplaced(ctx context.Context, before *Dialogue, asking, message string) bool {
	from, now := before.Newest(), &Dialogue{Execution: before.Execution}
	if c.readBack(ctx, now, from) != nil {
		return false
	}
	_, elsewhere := now.Placed(from, asking, message)
	return elsewhere
}

func (entry logEntry) isMessage(message string) bool {
	return entry.kind == "user_message_received" && sameWords(entry.text("message"), message)
}

// sameWords compares messages as the service may store them: with other white space.
func sameWords(a, b string) bool {
	return slices.Equal(strings.Fields(a), strings.Fields(b))
}
