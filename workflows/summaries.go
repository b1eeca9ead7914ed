package workflows

import (
	"cmp"
	"strconv"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/budget"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// withSummary has the next activity show a summary: the agent's name, and what it does as the rest
// of a sentence.
func (r *AgentRun) withSummary(ctx workflow.Context, does string) workflow.Context {
	options := workflow.GetActivityOptions(ctx)
	options.Summary = summaryLine(cmp.Or(r.state.AgentName, r.state.AgentID) + " " + does)
	return workflow.WithActivityOptions(ctx, options)
}

// pollSummary says what the agent does while an activity awaits a change, and how often that looks.
func (r *AgentRun) pollSummary() string {
	does := "is at work"
	switch s := r.state; {
	case s.terminal():
		return "has ended, and its result is read"
	case s.Status.NeedsHuman():
		return "waits for a person"
	case s.Status.Class() == asteroid.ClassPaused:
		return "is paused by a person"
	case s.starting():
		does = "starts"
	}
	interval := awaitDefaults().RetryPolicy.MaximumInterval
	switch {
	case r.in.LongPollSeconds > 0:
		return does
	case r.expectsEvents():
		interval = r.pollInterval()
	}
	return does + "; looked at again every " + shortDuration(interval)
}

// shortDuration returns a duration in its largest whole unit, such as 10 min.
func shortDuration(d time.Duration) string {
	switch {
	case d%time.Hour == 0:
		return strconv.Itoa(int(d/time.Hour)) + " h"
	case d%time.Minute == 0:
		return strconv.Itoa(int(d/time.Minute)) + " min"
	default:
		return strconv.Itoa(int(d/time.Second)) + " s"
	}
}

// summaryLine returns a foreign text as one line without misleading characters.
func summaryLine(foreign string) string { return text.Line(foreign, budget.Summary) }
