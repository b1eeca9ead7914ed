package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	rand "math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// plan holds what is drawn from the seed: the workflows and the disruptions.
type plan struct {
	seed           uint64
	intents        []*intent
	scenarios      []*scenario // of each workflow; nil for a claim, which the intent describes
	kills          *rand.Rand  // draws the time and the slot of each worker kill
	restarts       []serverRestart
	capacityLimits []capacityLimit
	capacityStatus int
}

// intent is an agent run that must happen exactly once.
type intent struct {
	workflowID string
	work       time.Duration
	content    string // of the staged file; empty: no file
	longPoll   int32  // RunAgentInput.LongPollSeconds
	ownKey     bool   // has an IdempotencyKey, so its first attempt looks up executions, too
	fails      bool   // the agent is scripted to fail
	late       bool   // the API carries out its first request after the grace period
	// cancelAfter and rerunAfter count from the start of the workflow; 0: never.
	cancelAfter time.Duration
	rerunAfter  time.Duration
}

type serverRestart struct {
	afterClosed int  // begins when this many workflows are closed
	kill        bool // instead of stopping the server gracefully
}

// capacityLimit limits the capacity of the API for a while.
type capacityLimit struct {
	afterClosed int // begins when this many workflows are closed
	limit       int // executions at a time
	length      time.Duration
}

// fullRun is the number of workflows from which on a run must meet every kind of trouble.
const (
	fullRun     = 100
	leastClaims = 3 // that are cancelled, and that are rerun, in a full run
)

const (
	cancelShare   = 0.10
	rerunShare    = 0.06
	fileShare     = 0.25
	longPollShare = 0.15
	ownKeyShare   = 0.10
	failShare     = 0.03
)

// newPlan draws a plan. Each kind of item has its own random numbers, so more of one kind does not
// change the others.
func newPlan(s settings) *plan {
	p := &plan{seed: s.seed, kills: random(s.seed, "kills")}
	draw := random(s.seed, "intents")
	for i := range s.runs {
		// Every field is drawn for every intent, so a changed share does not change the other
		// fields.
		in := &intent{
			workflowID: p.workflowID(i),
			work:       between(draw, time.Second, 4*time.Second),
		}
		if content := fmt.Sprintf("claim,amount\n%d,%d\n", i, draw.IntN(1000)); draw.Float64() < fileShare {
			in.content = content
		}
		if seconds := 1 + draw.Int32N(3); draw.Float64() < longPollShare {
			in.longPoll = seconds
		}
		in.ownKey = draw.Float64() < ownKeyShare
		in.fails = draw.Float64() < failShare
		// Most cancellations come early, while it is unknown whether the agent was started. The
		// agent works long enough to be running by then.
		if early, work := draw.Float64(), between(draw, 7*time.Second, 10*time.Second); draw.Float64() < cancelShare {
			in.cancelAfter, in.work = max(time.Duration(early*early*float64(6*time.Second)), time.Millisecond), work
		}
		if after := between(draw, 500*time.Millisecond, 8*time.Second); draw.Float64() < rerunShare {
			in.rerunAfter = after
		}
		p.intents = append(p.intents, in)
	}
	// Late intents are the first ones, because they take longest.
	for _, in := range p.intents[:min(s.runs, 1+s.runs/100)] {
		in.late, in.work, in.fails, in.cancelAfter = true, lateWork, false, 0
	}

	p.drawScenarios(s.runs)
	if s.runs >= fullRun {
		p.ensureClaims()
	}

	draw = random(s.seed, "trouble") // the purpose is part of the seed: another name draws another plan
	// spread spreads n items over the run, one in each nth of it.
	spread := func(n int, add func(afterClosed int)) {
		for i := range n {
			add(int(float64(s.runs) / float64(n) * (float64(i) + 0.1 + 0.8*draw.Float64())))
		}
	}
	spread(2+s.runs/300, func(afterClosed int) {
		p.restarts = append(p.restarts, serverRestart{afterClosed, draw.IntN(3) > 0})
	})
	spread(1+s.runs/400, func(afterClosed int) {
		p.capacityLimits = append(p.capacityLimits, capacityLimit{afterClosed, max(1, s.concurrency/8), between(draw, 4*time.Second, 8*time.Second)})
	})
	p.capacityStatus = []int{http.StatusConflict, http.StatusTooManyRequests, http.StatusServiceUnavailable}[draw.IntN(3)]
	return p
}

// workflowID returns the id of the nth workflow.
func (p *plan) workflowID(n int) string { return fmt.Sprintf("chaos-%d-%04d", p.seed, n) }

// drawScenarios decides which workflows tell which scenario.
func (p *plan) drawScenarios(runs int) {
	p.scenarios = make([]*scenario, runs)
	var free []int // those that are not late
	for n, in := range p.intents {
		if !in.late {
			free = append(free, n)
		}
	}
	draw := random(p.seed, "scenarios")
	draw.Shuffle(len(free), func(i, j int) { free[i], free[j] = free[j], free[i] })
	for _, told := range scenarios {
		times := int(told.share * float64(runs) / 100)
		if runs >= fullRun {
			times = max(times, 1)
		}
		for range min(times, len(free)) {
			p.scenarios[free[0]], free = told, free[1:]
		}
	}
}

// ensureClaims makes a full run have a few claims that a person cancels, and some that are rerun.
func (p *plan) ensureClaims() {
	draw := random(p.seed, "claims")
	cancels, reruns := 0, 0
	var plain []*intent
	for n, in := range p.intents {
		switch {
		case p.scenarios[n] != nil || in.late:
		case in.cancelAfter > 0:
			cancels++
		case in.rerunAfter > 0:
			reruns++
		default:
			plain = append(plain, in)
		}
	}
	for ; cancels < leastClaims && len(plain) > 0; cancels++ {
		plain[0].cancelAfter, plain[0].work = between(draw, time.Second, 6*time.Second), between(draw, 7*time.Second, 10*time.Second)
		plain = plain[1:]
	}
	for ; reruns < leastClaims && len(plain) > 0; reruns++ {
		plain[0].rerunAfter = between(draw, 4*time.Second, 8*time.Second)
		plain = plain[1:]
	}
}

// random returns the random numbers of a seed for one purpose.
func random(seed uint64, purpose string) *rand.Rand {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s", seed, purpose))
	return rand.New(rand.NewChaCha8(sum)) //nolint:gosec // must be repeatable
}

func between(draw *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(draw.Int64N(int64(most-least)))
}

// pollInterval, in seconds, bounds how late a workflow learns that its execution is terminal if the
// event is lost with a worker. The default is longer than most runs of this program.
const pollInterval = 10

// input returns the input of the intent's workflow.
func (in *intent) input(agentID string) workflows.RunAgentInput {
	input := workflows.RunAgentInput{
		Connection:          connectionAgents,
		AgentID:             agentID,
		Inputs:              asteroid.Inputs{inputIntent: in.workflowID, inputSeconds: in.work.Seconds(), inputFails: in.fails},
		LongPollSeconds:     in.longPoll,
		PollIntervalSeconds: pollInterval,
	}
	if in.late {
		input.Connection = connectionWorkflows
	}
	if in.content != "" {
		sum := sha256.Sum256([]byte(in.content))
		input.Inputs[inputDigest] = hex.EncodeToString(sum[:])
		input.Files = []asteroid.FileRef{{
			URI: "data:text/csv;base64," + base64.StdEncoding.EncodeToString([]byte(in.content)), Name: "claims.csv",
		}}
	}
	if in.ownKey {
		input.IdempotencyKey = "claim-of-" + in.workflowID
	}
	return input
}

// queues returns the workflows with late intents, which are started one after another, and the
// others. Those that take longest come first, so that the run does not end with them.
func (p *plan) queues() (late, others []int) {
	var short []int
	for n, in := range p.intents {
		switch {
		case in.late:
			late = append(late, n)
		case slices.Contains(longScenarios, p.scenarios[n]):
			others = append(others, n)
		default:
			short = append(short, n)
		}
	}
	return late, append(others, short...)
}
