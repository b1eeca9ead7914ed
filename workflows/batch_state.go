package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid/internal/budget"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// rateSample is how many rows of the pass had ended at a time.
type rateSample struct {
	At    time.Time `json:"at"`
	Ended int       `json:"ended"`
}

// enter enters a phase and shows it.
func (b *batch) enter(ctx workflow.Context, phase string) {
	b.state.Phase = phase
	b.state.Since = workflow.Now(ctx)
	b.show(ctx, true)
}

// phase returns the phase that follows from what the batch does with its rows.
func (b *batch) phase() string {
	switch {
	case b.Cancelled:
		return batchCancelling
	case b.Stopped != "":
		return batchStopping
	case b.Paused:
		return batchPaused
	default:
		return batchRunning
	}
}

// snapshot returns the state.
func (b *batch) snapshot() (BatchState, error) {
	state, counts := b.state, b.ofPass().plus(b.Before)
	state.StartedAt, state.Rows, state.Succeeded, state.Failed = b.StartedAt, b.AllRows, counts.Succeeded, counts.Failed
	for _, s := range b.Open {
		state.AtWork += s.Report.AtWork
	}
	for _, wait := range b.Waits {
		switch wait.Phase {
		case PhaseNeedsHuman:
			state.NeedHuman++
		case PhaseWaitingForPermit:
			state.WaitForPermit++
		}
	}
	state.MaxConcurrent, state.Pass = b.MaxConcurrent, b.Pass
	state.AlreadySucceeded, state.Skipped, state.Stopped = b.AlreadySucceeded, b.Skipped, b.Stopped
	state.RowsPerMinute, state.EstimatedEnd = b.rate()
	return state, nil
}

// sample notes how many rows have ended, for the rate of the last minutes.
func (b *batch) sample(now time.Time) {
	const window, apart = 10 * time.Minute, 20 * time.Second
	ended := b.ofPass().ended()
	if n := len(b.Samples); n >= 2 && b.Samples[n-1].At.Sub(b.Samples[n-2].At) < apart {
		b.Samples[n-1] = rateSample{now, ended}
	} else {
		b.Samples = append(b.Samples, rateSample{now, ended})
	}
	for len(b.Samples) > 2 && now.Sub(b.Samples[1].At) > window {
		b.Samples = b.Samples[1:]
	}
}

// rate returns the rows that ended per minute, and when the pass will end at that rate.
func (b *batch) rate() (perMinute float64, end time.Time) {
	if len(b.Samples) < 2 {
		return 0, time.Time{}
	}
	first, last := b.Samples[0], b.Samples[len(b.Samples)-1]
	took := last.At.Sub(first.At)
	if took <= 0 || last.Ended <= first.Ended {
		return 0, time.Time{}
	}
	perRow := max(1, took/time.Duration(last.Ended-first.Ended))
	return time.Minute.Seconds() / perRow.Seconds(), last.At.Add(perRow * time.Duration(max(0, b.PassRows-last.Ended)))
}

// show shows the state in the current details, every few seconds or when it is important.
func (b *batch) show(ctx workflow.Context, important bool) {
	const apart = 3 * time.Second
	now := workflow.Now(ctx)
	if phase := b.phase(); !important && phase != b.state.Phase {
		b.state.Phase, b.state.Since, important = phase, now, true
	}
	if !important && now.Sub(b.shownAt) < apart {
		return
	}
	b.shownAt = now
	b.sample(now)
	state, _ := b.snapshot()
	workflow.SetCurrentDetails(ctx, state.markdown(b.plan.BatchKey, b.plan.Results.Destination, b.ofPass().ended(), b.PassRows))
}

// markdown renders the state for a person who opens the workflow's page.
func (s BatchState) markdown(key, destination string, ended, rows int) string {
	var page strings.Builder
	line := func(label, format string, args ...any) {
		page.WriteString("- **" + label + "**: " + fmt.Sprintf(format, args...) + "\n")
	}
	page.WriteString("**Batch** " + inlineCode(key) + " is " + s.Phase + " since " + s.Since.UTC().Format(clockTime) + "\n\n")
	if rows > 0 {
		line("Pass", "%d, %s %d of %d rows", s.Pass, progressBar(ended, rows), ended, rows)
	}
	line("Rows", "%d succeeded, %d failed, %d at work (at most %d), %d wait for people, %d wait for a permit",
		s.Succeeded, s.Failed, s.AtWork, s.MaxConcurrent, s.NeedHuman, s.WaitForPermit)
	if s.AlreadySucceeded+s.Skipped > 0 {
		line("Not run", "%d had succeeded before, %d are malformed", s.AlreadySucceeded, s.Skipped)
	}
	if s.RowsPerMinute > 0 {
		line("Rate", "%.1f rows a minute, estimated end %s", s.RowsPerMinute, s.EstimatedEnd.UTC().Format(clockTime))
	}
	line("Results", "%s", inlineCode(destination))
	if s.Stopped != "" {
		line("Stopped", "%s", inlineCode(s.Stopped))
	}
	if s.Error != "" {
		line("Error", "%s", inlineCode(s.Error))
	}
	return text.Truncate(page.String(), budget.Details)
}

// progressBar returns a bar of twenty characters.
func progressBar(done, of int) string {
	const width = 20
	filled := min(width, width*done/max(1, of))
	return "`[" + strings.Repeat("#", filled) + strings.Repeat(".", width-filled) + "]`"
}
