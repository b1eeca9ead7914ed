package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	rand "math/rand/v2"
	"net/http"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// plan is what a seed means.
type plan struct {
	intents        []*intent
	kills          *rand.Rand // when the next worker is killed, and which
	restarts       []restart
	shortages      []shortage
	capacityStatus int
}

// intent is one agent run that is to happen once.
type intent struct {
	workflowID string
	work       time.Duration
	content    string // of the staged file; empty for none
	longPoll   int32
	ownKey     bool // has an IdempotencyKey, so that the first attempt looks as well
	fails      bool // the agent does
	late       bool // its request is carried out after the grace period
	// cancelAfter and rerunAfter count from the workflow's start; 0 is never.
	cancelAfter time.Duration
	rerunAfter  time.Duration
}

// restart is one of the Temporal server's, when so many workflows are closed.
type restart struct {
	closed int
	kill   bool
}

// shortage is a time without capacity, from when so many workflows are closed.
type shortage struct {
	closed int
	limit  int
	length time.Duration
}

const (
	cancelShare   = 0.10
	rerunShare    = 0.06
	fileShare     = 0.25
	longPollShare = 0.15
	ownKeyShare   = 0.10
	failShare     = 0.03
)

// newPlan draws a plan. Each kind of thing has random numbers of its own, so that more of one does not change the others.
func newPlan(s settings) *plan {
	p := &plan{kills: random(s.seed, "kills")}
	draw := random(s.seed, "intents")
	for i := range s.runs {
		// Every field is drawn for every intent, so that a share can be changed without changing the rest.
		in := &intent{
			workflowID: fmt.Sprintf("chaos-%d-%04d", s.seed, i),
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
		// Most often early, while it is not known yet whether the agent was started; and the agent works long enough not
		// to be done by then.
		if early, work := draw.Float64(), between(draw, 7*time.Second, 10*time.Second); draw.Float64() < cancelShare {
			in.cancelAfter, in.work = max(time.Duration(early*early*float64(6*time.Second)), time.Millisecond), work
		}
		if after := between(draw, 500*time.Millisecond, 8*time.Second); draw.Float64() < rerunShare {
			in.rerunAfter = after
		}
		p.intents = append(p.intents, in)
	}
	// The first ones, because they take longest.
	for _, in := range p.intents[:min(s.runs, 1+s.runs/100)] {
		in.late, in.work, in.fails, in.cancelAfter = true, lateWork, false, 0
	}

	draw = random(s.seed, "trouble")
	// Spread over the run: each in a part of its own.
	parts := func(n int, add func(closed int)) {
		for i := range n {
			add(int(float64(s.runs) / float64(n) * (float64(i) + 0.1 + 0.8*draw.Float64())))
		}
	}
	parts(2+s.runs/300, func(closed int) { p.restarts = append(p.restarts, restart{closed, draw.IntN(3) > 0}) })
	parts(1+s.runs/400, func(closed int) {
		p.shortages = append(p.shortages, shortage{closed, max(1, s.concurrency/8), between(draw, 4*time.Second, 8*time.Second)})
	})
	p.capacityStatus = []int{http.StatusConflict, http.StatusTooManyRequests, http.StatusServiceUnavailable}[draw.IntN(3)]
	return p
}

// random returns the random numbers that a seed has for one purpose.
func random(seed uint64, purpose string) *rand.Rand {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s", seed, purpose))
	return rand.New(rand.NewChaCha8(sum)) //nolint:gosec // it is to be repeatable
}

func between(draw *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(draw.Int64N(int64(most-least)))
}

// backstop is how late a run may be seen to end whose event was lost with a worker. The default would be most of a load.
const backstop = 10

// input is what the intent's workflow is given.
func (in *intent) input(agentID string) workflows.RunAgentInput {
	given := workflows.RunAgentInput{
		Connection:      connectionAgents,
		AgentID:         agentID,
		Inputs:          asteroid.Inputs{inputSeconds: in.work.Seconds(), inputFails: in.fails},
		LongPollSeconds: in.longPoll,
		BackstopSeconds: backstop,
	}
	if in.late {
		given.Connection = connectionWorkflows
	}
	if in.content != "" {
		sum := sha256.Sum256([]byte(in.content))
		given.Inputs[inputDigest] = hex.EncodeToString(sum[:])
		given.Files = []asteroid.FileRef{{
			URI: "data:text/csv;base64," + base64.StdEncoding.EncodeToString([]byte(in.content)), Name: "claims.csv",
		}}
	}
	if in.ownKey {
		given.IdempotencyKey = "claim-of-" + in.workflowID
	}
	return given
}

// queues are the late intents, which are started one after another, and the others.
func (p *plan) queues() (late, others []*intent) {
	for _, in := range p.intents {
		if in.late {
			late = append(late, in)
		} else {
			others = append(others, in)
		}
	}
	return late, others
}
