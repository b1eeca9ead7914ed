package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/cmd/internal/program"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// limitsReport is the result of bench limits. Programs parse its members, so they do not change.
// All times are those of the server's events.
type limitsReport struct {
	// Grants are the permits that runs of RunAgent waited for, took and gave back. The service
	// refuses each run's agent, so a permit is held for no longer than one request takes.
	// GrantsPerSecond is their rate from the first permit that came free to the last grant.
	Grants          int     `json:"grants"`
	GrantsPerSecond float64 `json:"grantsPerSecond"`
	// DelayMillis is the time from the release of a permit by one run to its grant to the next one.
	// FreeKeyMillis is the time from the request to the grant while nobody else wants the permit.
	DelayMillis   percentiles    `json:"delayMillis"`
	FreeKeyMillis percentiles    `json:"freeKeyMillis"`
	Fairness      limitsFairness `json:"fairness"`
	// EventsPerGrant and MaxHistoryEvents are of the runs of the limiter. LimiterStateBytes is the
	// largest state that one of them handed to the next, 0 if none did.
	EventsPerGrant    float64 `json:"eventsPerGrant"`
	MaxHistoryEvents  int64   `json:"maxHistoryEvents"`
	LimiterStateBytes int     `json:"limiterStateBytes"`
}

type percentiles struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

// limitsFairness is how a tenant with many waiting runs and one with a few share Max permits.
type limitsFairness struct {
	Waiting                int `json:"waiting"`
	Small                  int `json:"small"`
	Max                    int `json:"max"`
	LargeDoneWhenSmallDone int `json:"largeDoneWhenSmallDone"`
}

const (
	// maxWaitingRuns is how many runs may wait for one limit.
	maxWaitingRuns = 5000
	// freeKeyRuns is how many runs take a permit that nobody else wants.
	freeKeyRuns = 50
	// refusedAgent is an agent that does not exist.
	refusedAgent = "00000000-0000-4000-8000-000000000000"
)

// limitsSettings are the flags of bench limits.
type limitsSettings struct {
	waiting, small, max int
	json                bool
}

// limits measures how the runs of two tenants take turns at one limit.
func limits(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var s limitsSettings
	flags := flag.NewFlagSet("bench limits", flag.ContinueOnError)
	flags.IntVar(&s.waiting, "waiting", 1000, "have so `many` runs of the large tenant wait")
	flags.IntVar(&s.small, "small", 10, "have so `many` runs of the small tenant wait behind them")
	flags.IntVar(&s.max, "max", 5, "give the limit so `many` permits")
	flags.BoolVar(&s.json, "json", false, "print one JSON object at the end; progress goes to the standard error output")
	if err := program.ParseFlags(flags, args, stderr, "Let runs of two tenants wait for the permits of one limit, and measure who is next and when."); err != nil {
		return err
	}
	switch {
	case s.waiting < 1 || s.small < 1 || s.waiting+s.small > maxWaitingRuns:
		return program.UsageErrorf("--waiting %d --small %d: give at least 1 each and at most %d together", s.waiting, s.small, maxWaitingRuns)
	case s.max < 1 || s.max > 100:
		return program.UsageErrorf("--max %d: give a number from 1 to 100", s.max)
	}
	report, err := measureLimits(ctx, s, stderr)
	if err != nil {
		return err
	}
	if s.json {
		return json.NewEncoder(stdout).Encode(report)
	}
	_, _ = fmt.Fprintf(stdout, "%d grants: %.1f a second with %d permits, each to a run whose agent the service refuses at once.\n"+
		"From a release to the next grant %.0f ms (p99 %.0f ms); from a request to the grant on a free key %.0f ms (p99 %.0f ms).\n"+
		"When the %d runs of the small tenant were done, %d of the %d of the large one were.\n"+
		"The limiter had %.1f events a grant, at most %d in one run, and handed over at most %d bytes of state.\n",
		report.Grants, report.GrantsPerSecond, s.max, report.DelayMillis.P50, report.DelayMillis.P99, report.FreeKeyMillis.P50, report.FreeKeyMillis.P99,
		s.small, report.Fairness.LargeDoneWhenSmallDone, s.waiting, report.EventsPerGrant, report.MaxHistoryEvents, report.LimiterStateBytes)
	return nil
}

func measureLimits(ctx context.Context, s limitsSettings, stderr io.Writer) (report limitsReport, err error) {
	dir, err := os.MkdirTemp("", "asteroid-bench-")
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	bench, err := newWorkbench(ctx, dir)
	if err != nil {
		return report, err
	}
	defer bench.stop()
	m := &limitsMeasurement{workbench: bench, settings: s, stderr: stderr}
	if err := m.measureFreeKey(ctx, &report); err != nil {
		return report, err
	}
	return report, m.measureQueue(ctx, &report)
}

type limitsMeasurement struct {
	*workbench
	settings limitsSettings
	stderr   io.Writer
}

// measureFreeKey lets runs take a permit one after another.
func (m *limitsMeasurement) measureFreeKey(ctx context.Context, report *limitsReport) error {
	var waits []float64
	for range freeKeyRuns {
		runs, err := m.start(ctx, 1, refusedAgent, asteroid.Limit{Key: "free"})
		if err != nil {
			return err
		}
		times, err := m.await(ctx, runs, asteroid.IsNotFound)
		if err != nil {
			return err
		}
		waits = append(waits, millis(times[0].granted.Sub(times[0].requested)))
	}
	report.FreeKeyMillis = percentilesOf(waits)
	return nil
}

// measureQueue lets runs of both tenants wait while lasting agents have all permits, and measures
// what happens when these are cancelled.
func (m *limitsMeasurement) measureQueue(ctx context.Context, report *limitsReport) error {
	s := m.settings
	limit := func(tenant string) asteroid.Limit {
		return asteroid.Limit{Key: "queue", Max: s.max, FairnessKey: tenant}
	}
	began := time.Now()
	holders, err := m.start(ctx, s.max, m.lasting, limit("holders"))
	if err != nil {
		return err
	}
	if err := m.awaitLimiter(ctx, "queue", func(state asteroid.LimiterState) bool { return len(state.Holders) == s.max }); err != nil {
		return err
	}
	large, err := m.start(ctx, s.waiting, refusedAgent, limit("large"))
	if err != nil {
		return err
	}
	if err := m.awaitLimiter(ctx, "queue", func(state asteroid.LimiterState) bool { return state.Waiting == s.waiting }); err != nil {
		return err
	}
	small, err := m.start(ctx, s.small, refusedAgent, limit("small"))
	if err != nil {
		return err
	}
	if err := m.awaitLimiter(ctx, "queue", func(state asteroid.LimiterState) bool { return state.Waiting == s.waiting+s.small }); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(m.stderr, "%d runs wait, since %s\n", s.waiting+s.small, time.Since(began).Round(time.Second))
	for _, holder := range holders {
		if err := m.client.CancelWorkflow(ctx, holder.GetID(), holder.GetRunID()); err != nil {
			return err
		}
	}
	ofHolders, err := m.await(ctx, holders, temporal.IsCanceledError)
	if err != nil {
		return err
	}
	ofSmall, err := m.await(ctx, small, asteroid.IsNotFound)
	if err != nil {
		return err
	}
	ofLarge, err := m.await(ctx, large, asteroid.IsNotFound)
	if err != nil {
		return err
	}
	report.judge(s, ofHolders, ofSmall, ofLarge)
	return m.countLimiter(ctx, "queue", report)
}

// start starts runs of an agent under a limit.
func (m *limitsMeasurement) start(ctx context.Context, count int, agentID string, limit asteroid.Limit) ([]client.WorkflowRun, error) {
	runs := make([]client.WorkflowRun, count)
	for i := range runs {
		var err error
		runs[i], err = m.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{TaskQueue: workbenchQueue}, workflows.RunAgentName,
			workflows.RunAgentInput{AgentID: agentID, Limits: []asteroid.Limit{limit}})
		if err != nil {
			return nil, err
		}
	}
	return runs, nil
}

// awaitLimiter waits until the state of a limiter meets the condition.
func (m *limitsMeasurement) awaitLimiter(ctx context.Context, key string, condition func(asteroid.LimiterState) bool) error {
	const interval, patience = 200 * time.Millisecond, 10 * time.Minute
	for deadline := time.Now().Add(patience); ; {
		var state asteroid.LimiterState
		value, err := m.client.QueryWorkflow(ctx, asteroid.LimiterWorkflowID("", key), "", workflows.StateQuery)
		if err == nil {
			err = value.Get(&state)
		}
		switch {
		case err == nil && condition(state):
			return nil
		case time.Now().After(deadline):
			return errors.Join(fmt.Errorf("the limiter has %d holders and %d waiting after %s", len(state.Holders), state.Waiting, patience), err)
		case !program.Sleep(ctx, interval):
			return context.Cause(ctx)
		}
	}
}
