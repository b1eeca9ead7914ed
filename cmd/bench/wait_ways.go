package main

import (
	"cmp"
	"fmt"
	rand "math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// way is a way to wait for an agent's execution. The names are those of --ways.
type way string

const (
	wayWatcher  way = "watcher"
	wayWebhooks way = "webhooks"
	wayPoll     way = "poll"
	wayBlocking way = "blocking"
	waySleep    way = "sleep"
)

// allWays begins with the library's own ways.
var allWays = []way{wayWatcher, wayWebhooks, wayPoll, wayBlocking, waySleep}

func (w way) handWritten() bool { return w == wayBlocking || w == waySleep }

func (w way) description() string {
	return map[way]string{
		wayWatcher:  "RunAgent, signalled by the watch",
		wayWebhooks: "RunAgent, signalled by webhooks",
		wayPoll:     "RunAgent, polling",
		wayBlocking: "hand-written: one activity that polls and heartbeats",
		waySleep:    "hand-written: a workflow that reads and sleeps in turn",
	}[w]
}

// events returns the worker's option Events, which only RunAgent follows.
func (w way) events() asteroid.Events {
	switch w {
	case wayWatcher:
		return asteroid.EventsWatch
	case wayWebhooks:
		return asteroid.EventsWebhooks
	default:
		return asteroid.EventsPoll
	}
}

// timing is the timing of one way's measurement.
type timing struct {
	settle   time.Duration // between the parking of the last run and the window
	window   time.Duration // how long the steady state is measured
	interval time.Duration // between two reads of an execution in a hand-written way
}

// timing returns the durations of the command line, and the way's defaults where those are 0.
//
// With the watch or webhooks, RunAgent reads its execution every ten minutes, counted from its
// start. A window of ten minutes therefore holds one read of each execution. Without them, the
// intervals between reads grow for a minute and a half, up to half a minute.
func (w way) timing(s waitSettings) timing {
	defaults := map[way]timing{
		wayWatcher:  {settle: time.Minute, window: 10 * time.Minute},
		wayWebhooks: {settle: time.Minute, window: 10 * time.Minute},
		wayPoll:     {settle: 2 * time.Minute, window: 2 * time.Minute},
		wayBlocking: {settle: 30 * time.Second, window: 2 * time.Minute, interval: 10 * time.Second},
		waySleep:    {settle: 30 * time.Second, window: 2 * time.Minute, interval: 30 * time.Second},
	}[w]
	return timing{cmp.Or(s.settle, defaults.settle), cmp.Or(s.window, defaults.window), cmp.Or(s.interval, defaults.interval)}
}

// workflow returns the type and the input of the way's workflow. allParked is when all runs are
// expected to be parked.
func (w way) workflow(agentID string, interval time.Duration, allParked time.Time) (name string, in any) {
	if w.handWritten() {
		in := handWrittenInput{AgentID: agentID, Interval: interval}
		if w == waySleep {
			spread := rand.Float64() //nolint:gosec // so that not all workflows read at once
			in.FirstRead = allParked.Add(time.Duration(spread * float64(interval)))
		}
		return string(w), in
	}
	return workflows.RunAgentName, workflows.RunAgentInput{AgentID: agentID, OnFailure: workflows.FailureIsResult}
}

// parseWays parses a list such as watcher,webhooks into the order of allWays, without duplicates.
func parseWays(text string) (ways []way, err error) {
	for name := range strings.SplitSeq(text, ",") {
		if !slices.Contains(allWays, way(name)) {
			return nil, fmt.Errorf("%q is not a way to wait: name some of %s, separated by commas", name, wayNames(allWays))
		}
		ways = append(ways, way(name))
	}
	slices.SortFunc(ways, func(a, b way) int { return cmp.Compare(slices.Index(allWays, a), slices.Index(allWays, b)) })
	return slices.Compact(ways), nil
}

func wayNames(ways []way) string {
	names := make([]string, len(ways))
	for i, w := range ways {
		names[i] = string(w)
	}
	return strings.Join(names, ",")
}
