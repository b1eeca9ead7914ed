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

// way is a way to wait for an agent's run.
type way string

const (
	wayWatcher  way = "watcher"
	wayWebhooks way = "webhooks"
	wayPoll     way = "poll"
	wayBlocking way = "blocking"
	waySleep    way = "sleep"
)

// allWays has the library's own first.
var allWays = []way{wayWatcher, wayWebhooks, wayPoll, wayBlocking, waySleep}

func (w way) byHand() bool { return w == wayBlocking || w == waySleep }

func (w way) does() string {
	return map[way]string{
		wayWatcher:  "RunAgent, told by the watch",
		wayWebhooks: "RunAgent, told by webhooks",
		wayPoll:     "RunAgent, polling",
		wayBlocking: "by hand: an activity that reads and heartbeats until the end",
		waySleep:    "by hand: a workflow that sleeps and reads in turn",
	}[w]
}

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

// pace is how a way is measured.
type pace struct {
	settle   time.Duration // after the last run is parked
	window   time.Duration
	interval time.Duration // between two reads of a hand-written way
}

// pace fills what the command line leaves open.
//
// Where events come, each run is read once in ten minutes, counted from its own start: only a window as long as that sees every
// run's read, and no other. The poll needs a minute and a half until its intervals have grown to the half minute that they stay at.
func (w way) pace(s waitSettings) pace {
	p := map[way]pace{
		wayWatcher:  {settle: time.Minute, window: 10 * time.Minute},
		wayWebhooks: {settle: time.Minute, window: 10 * time.Minute},
		wayPoll:     {settle: 2 * time.Minute, window: 2 * time.Minute},
		wayBlocking: {settle: 30 * time.Second, window: 2 * time.Minute, interval: 10 * time.Second},
		waySleep:    {settle: 30 * time.Second, window: 2 * time.Minute, interval: 30 * time.Second},
	}[w]
	return pace{cmp.Or(s.settle, p.settle), cmp.Or(s.window, p.window), cmp.Or(s.interval, p.interval)}
}

// workflow is what runs, and what it gets. begin is when all runs are probably parked.
func (w way) workflow(agentID string, interval time.Duration, begin time.Time) (name string, in any) {
	if w.byHand() {
		in := byHandInput{AgentID: agentID, Interval: interval}
		if w == waySleep {
			in.Begin = begin.Add(time.Duration(rand.Float64() * float64(interval))) //nolint:gosec // so that not all read at once
		}
		return string(w), in
	}
	return workflows.RunAgentName, workflows.RunAgentInput{AgentID: agentID, OnFailure: workflows.FailureIsResult}
}

// parseWays reads a list such as watcher,webhooks.
func parseWays(text string) (ways []way, err error) {
	for name := range strings.SplitSeq(text, ",") {
		if !slices.Contains(allWays, way(name)) {
			return nil, fmt.Errorf("%q is no way to wait: give some of %s, with commas", name, wayNames(allWays))
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
