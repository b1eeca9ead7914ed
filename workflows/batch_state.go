package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"
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
	b.show(ctx)
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
	state.StartedAt, state.Rows = b.StartedAt, b.AllRows
	state.Succeeded, state.Failed, state.Cancelled = counts.Succeeded, counts.Failed, counts.Cancelled
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
	if r := state.Result; r != nil { // rows that were to run again and did not have failed after all
		state.Succeeded, state.Failed, state.Cancelled = r.Counts.Succeeded-b.AlreadySucceeded, r.Counts.Failed, r.Counts.Cancelled
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

// show shows the state in the current details and the search attributes.
func (b *batch) show(ctx workflow.Context) {
	now := workflow.Now(ctx)
	b.sample(now)
	state, _ := b.snapshot() // never fails
	workflow.SetCurrentDetails(ctx, b.markdown(workflow.GetInfo(ctx), state))
	b.updateSearchAttributes(ctx, state)
}

// showChange shows what the rows and people have changed.
func (b *batch) showChange(ctx workflow.Context) {
	if phase := b.phase(); phase != b.state.Phase {
		b.state.Phase, b.state.Since = phase, workflow.Now(ctx)
	}
	b.show(ctx)
}
