package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/temporal-asteroid/asteroid"
)

// permitTimes are what a run's history tells about its permit.
type permitTimes struct{ requested, granted, released, closed time.Time }

// await waits until the runs end with an error that is expected, and reads their histories.
func (m *limitsMeasurement) await(ctx context.Context, runs []client.WorkflowRun, expected func(error) bool) ([]permitTimes, error) {
	for _, run := range runs {
		if err := run.Get(ctx, nil); !expected(err) {
			return nil, fmt.Errorf("the run %s ended otherwise than expected: %w", run.GetID(), err)
		}
	}
	times := make([]permitTimes, len(runs))
	for i, run := range runs {
		err := m.eachEvent(ctx, run.GetID(), run.GetRunID(), times[i].add)
		if err != nil {
			return nil, err
		}
		if t := times[i]; t.requested.IsZero() || t.granted.IsZero() || t.released.IsZero() {
			return nil, fmt.Errorf("the history of the run %s has no permit: %+v", run.GetID(), t)
		}
	}
	return times, nil
}

// add notes an event of the run's history.
func (t *permitTimes) add(event *history.HistoryEvent) {
	at := event.GetEventTime().AsTime()
	t.closed = at
	switch {
	case event.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName() == asteroid.AcquirePermitName:
		t.requested = at
	case event.GetWorkflowExecutionSignaledEventAttributes().GetSignalName() == asteroid.PermitSignal:
		t.granted = at
	case event.GetSignalExternalWorkflowExecutionInitiatedEventAttributes().GetSignalName() == asteroid.ReleasePermitSignal:
		t.released = at
	}
}

func (m *limitsMeasurement) eachEvent(ctx context.Context, workflowID, runID string, do func(*history.HistoryEvent)) error {
	events := m.client.GetWorkflowHistory(ctx, workflowID, runID, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return err
		}
		do(event)
	}
	return nil
}

// judge computes what the runs' histories tell. All permits were held when the holders began to
// release them, so each grant follows the release at the same place in the order.
func (r *limitsReport) judge(s limitsSettings, holders, small, large []permitTimes) {
	waited := slices.Concat(small, large)
	granted := timesOf(waited, func(t permitTimes) time.Time { return t.granted })
	released := timesOf(slices.Concat(holders, waited), func(t permitTimes) time.Time { return t.released })
	delays := make([]float64, len(granted))
	for i := range granted {
		delays[i] = millis(granted[i].Sub(released[i]))
	}
	r.Grants, r.DelayMillis = len(granted), percentilesOf(delays)
	r.GrantsPerSecond = rounded(ratio(float64(len(granted)), granted[len(granted)-1].Sub(released[0]).Seconds()), 1)
	r.Fairness = limitsFairness{Waiting: s.waiting, Small: s.small, Max: s.max}
	smallDone := timesOf(small, func(t permitTimes) time.Time { return t.closed })[len(small)-1]
	for _, t := range large {
		if !t.closed.After(smallDone) {
			r.Fairness.LargeDoneWhenSmallDone++
		}
	}
}

// timesOf returns one time of each run, in their order.
func timesOf(runs []permitTimes, of func(permitTimes) time.Time) []time.Time {
	times := make([]time.Time, len(runs))
	for i, t := range runs {
		times[i] = of(t)
	}
	slices.SortFunc(times, time.Time.Compare)
	return times
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// percentilesOf returns the median and the 99th percentile.
func percentilesOf(values []float64) percentiles {
	sorted := slices.Sorted(slices.Values(values))
	if len(sorted) == 0 {
		return percentiles{}
	}
	at := int(math.Ceil(0.99*float64(len(sorted)))) - 1
	return percentiles{P50: rounded(median(sorted), 1), P99: rounded(sorted[at], 1)}
}

// countLimiter counts the events of all runs of a limiter, from the newest one to the first.
func (m *limitsMeasurement) countLimiter(ctx context.Context, key string, report *limitsReport) error {
	id := asteroid.LimiterWorkflowID("", key)
	newest, err := m.client.DescribeWorkflowExecution(ctx, id, "")
	if err != nil {
		return err
	}
	var all int64
	for runID := newest.GetWorkflowExecutionInfo().GetExecution().GetRunId(); runID != ""; {
		var events int64
		var in asteroid.LimiterInput
		of := runID
		err := m.eachEvent(ctx, id, of, func(event *history.HistoryEvent) {
			events++
			if started := event.GetWorkflowExecutionStartedEventAttributes(); started != nil {
				runID = started.GetContinuedExecutionRunId()
				_ = converter.GetDefaultDataConverter().FromPayloads(started.GetInput(), &in)
			}
		})
		if err != nil {
			return err
		}
		all += events
		report.MaxHistoryEvents = max(report.MaxHistoryEvents, events)
		report.LimiterStateBytes = max(report.LimiterStateBytes, len(in.State))
	}
	report.EventsPerGrant = rounded(ratio(float64(all), float64(report.Grants+report.Fairness.Max)), 1)
	return nil
}
