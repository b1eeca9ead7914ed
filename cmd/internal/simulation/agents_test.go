package simulation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"
	"pgregory.net/rapid"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/activities"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

// plannedGrace is the grace period that the schedules stay within: a request of unknown outcome is
// carried out, and its execution is listed, in plannedLate and plannedListed.
const (
	plannedGrace  = 40 * time.Second
	plannedLate   = 16 * time.Second
	plannedListed = 16 * time.Second
)

const (
	agentWork   = 2 * time.Hour // longer than any start, so that duplicates are alive together
	maxRequests = 250           // of an intent, with all resets
)

// agentsSchedule is a schedule of workflows that run agents.
type agentsSchedule struct {
	Conditions conditions     `json:"conditions,omitzero"`
	Failing    int            `json:"failing,omitempty"` // so many executions fail soon, the first ones
	Workflows  []workflowPlan `json:"workflows"`
}

// workflowPlan is one workflow. Its agents run at the same time.
type workflowPlan struct {
	At          span                `json:"at,omitempty"`
	Intents     []intentPlan        `json:"intents"`
	Resets      []resetPlan         `json:"resets,omitempty"`      // in order, each of the run that the one before created
	OfActivity  []activityResetPlan `json:"ofActivity,omitempty"`  // from the workflow's start
	CancelAfter span                `json:"cancelAfter,omitempty"` // from the workflow's start; 0: never
	Abandon     bool                `json:"abandon,omitempty"`
	// Child runs the agents in a child workflow, by workflows.ExecuteRunAgent. A reset of the
	// parent starts another child, and the first one goes on.
	Child bool `json:"child,omitempty"`
}

// intentPlan is one intent to run an agent.
type intentPlan struct {
	After    span            `json:"after,omitempty"`
	Key      int             `json:"key,omitempty"`      // of an IdempotencyKey; 0: none
	Claim    int             `json:"claim"`              // the agent's input
	Attempts [][]attemptPlan `json:"attempts,omitempty"` // by run
}

// resetPlan is a reset of a workflow to its beginning.
type resetPlan struct {
	After     span `json:"after"`
	Corrected bool `json:"corrected,omitempty"` // the new run gives the agents other inputs
	// Pending resets to a point at which the executes had been scheduled: those that are pending
	// are dispatched again, as they are.
	Pending bool `json:"pending,omitempty"`
}

type activityResetPlan struct {
	After      span `json:"after"`
	Heartbeats bool `json:"heartbeats,omitempty"` // are reset, too
}

func drawAgents(t *rapid.T) (s agentsSchedule) {
	l := limits{late: plannedLate, requests: 4, attempts: 5, statuses: []int{503, 502, 500, 408, 429, 403}}
	s.Conditions = drawConditions(t, plannedListed)
	if often(t, "service is behind", 2) {
		s.Conditions.Service = -s.Conditions.Service
	}
	if often(t, "some fail", 4) {
		s.Failing = rapid.IntRange(1, 3).Draw(t, "failing")
	}
	s.Workflows = rapid.SliceOfN(rapid.Custom(l.drawWorkflow), 1, 2).Draw(t, "workflows")
	return s
}

func (l limits) drawWorkflow(t *rapid.T) (w workflowPlan) {
	w.At = drawSpan(t, "at", 30*time.Second)
	soon := func(label string) span { return drawSpan(t, label, 4*time.Minute) + span(time.Second) }
	w.Child = often(t, "child", 4)
	if often(t, "is reset", 3) {
		w.Resets = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) resetPlan {
			r := resetPlan{After: soon("reset after"), Corrected: often(t, "corrected", 4)}
			r.Pending = !r.Corrected && often(t, "pending", 2)
			return r
		}), 1, 2).Draw(t, "resets")
	}
	if often(t, "activity is reset", 4) {
		w.OfActivity = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) activityResetPlan {
			return activityResetPlan{soon("activity reset after"), often(t, "of heartbeats", 2)}
		}), 1, 2).Draw(t, "activity resets")
	}
	if often(t, "is cancelled", 5) {
		w.CancelAfter = soon("cancelled after")
		w.Abandon = len(w.Resets) == 0 && often(t, "abandons", 3)
	}
	w.Intents = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) (i intentPlan) {
		i.After = drawSpan(t, "after", 5*time.Second)
		if !slices.ContainsFunc(w.Resets, func(r resetPlan) bool { return r.Corrected }) { // with a key, a correction is refused
			i.Key = rapid.IntRange(0, 2).Draw(t, "key")
		}
		i.Claim = rapid.IntRange(1, 2).Draw(t, "claim")
		for range len(w.Resets) + 1 {
			i.Attempts = append(i.Attempts, l.drawAttempts(t, "attempts"))
		}
		return i
	}), 1, 2).Draw(t, "intents")
	return w
}

// outcome is how an intent ended in the last run of its workflow.
type outcome struct {
	workflowPlan
	intentPlan
	request   asteroid.ExecuteAgentInput
	executed  asteroid.ExecuteAgentResult
	execution *asteroid.Execution
	err       error
	took      time.Duration
}

// agentsWorld runs an agentsSchedule.
type agentsWorld struct {
	*world
	agent    string
	failing  int
	outcomes []outcome
}

func runAgents(t *testing.T, s agentsSchedule) []violation {
	t.Helper()
	return spoilAgents(t, s, func(*agentsWorld) {})
}

// spoilAgents runs a schedule and spoils its end, before the audit.
func spoilAgents(t *testing.T, s agentsSchedule, spoil func(*agentsWorld)) []violation {
	t.Helper()
	return simulate(t, s.Conditions, activities.Options{}, func(w *world) {
		a := &agentsWorld{world: w, failing: s.Failing}
		started := 0
		a.agent = w.api.ServeAgent("clerk", func(run testsuite.Run) []testsuite.Step {
			if started++; started <= s.Failing {
				return []testsuite.Step{testsuite.Work(20 * time.Second), testsuite.Fail("no")}
			}
			return []testsuite.Step{testsuite.Work(agentWork), testsuite.Complete("success", "", run.Inputs)}
		})
		var workflows actors
		for i, plan := range s.Workflows {
			// Workflows never act at the same instant.
			workflows.add(time.Duration(plan.At)+time.Duration(i)*3137*time.Microsecond, func() { a.runWorkflow(fmt.Sprintf("workflow-%d", i+1), plan) })
		}
		if !workflows.wait(agentWork + 2*patience + time.Hour) {
			w.violate("a workflow is stuck", "")
			return
		}
		spoil(a)
		a.audit()
	})
}

// runWorkflow runs a workflow, run after run.
func (a *agentsWorld) runWorkflow(id string, plan workflowPlan) {
	cancelled, cancel := context.WithCancel(context.Background())
	defer cancel()
	if plan.CancelAfter > 0 {
		timer := time.AfterFunc(time.Duration(plan.CancelAfter), cancel)
		defer timer.Stop()
	}
	newest := a.startWorkflow(id, plan, nil)
	current := func() *agentsRun {
		a.server.mu.Lock()
		defer a.server.mu.Unlock()
		return newest
	}
	for _, reset := range plan.OfActivity {
		timer := time.AfterFunc(time.Duration(reset.After), func() { a.resetActivities(current().run, reset.Heartbeats) })
		defer timer.Stop()
	}
	var runs actors
	for _, reset := range plan.Resets {
		this, done := newest, make(chan struct{})
		runs.add(0, func() {
			defer close(done)
			this.execute(cancelled)
		})
		timer := time.NewTimer(time.Duration(reset.After))
		select {
		case <-done: // it ended before anybody reset it
			timer.Stop()
			runs.group.Wait()
			return
		case <-timer.C:
		}
		next := a.startWorkflow(id, plan, this)
		if !plan.Child {
			<-done
		}
		a.server.mu.Lock()
		newest = next
		a.server.mu.Unlock()
	}
	newest.execute(cancelled)
	runs.group.Wait()
}

// agentsRun is one run of a workflow that runs agents.
type agentsRun struct {
	*agentsWorld
	plan   workflowPlan
	n      int
	before *agentsRun   // which a reset has replaced
	parent *workflowRun // of the child that runs the agents; else the same as run
	run    *workflowRun
	agents []*agentRun // in the order of the plan
}

// startWorkflow starts the first run of a workflow, or the one that a reset creates.
func (a *agentsWorld) startWorkflow(id string, plan workflowPlan, before *agentsRun) *agentsRun {
	w := &agentsRun{agentsWorld: a, plan: plan, before: before}
	if before == nil {
		w.parent = a.startRun(id, nil)
	} else {
		w.parent, w.n = a.startRun(id, before.parent), before.n+1
	}
	w.run = w.parent
	if plan.Child {
		w.run = a.startRun(w.parent.runID+"-child", nil)
	}
	return w
}

// execute is the workflow function.
func (w *agentsRun) execute(cancelled context.Context) {
	plan, run := w.plan, w.run
	cancelled, done := context.WithCancel(cancelled)
	defer done()
	stop := context.AfterFunc(run.over, done)
	defer stop()
	outcomes := make([]outcome, len(plan.Intents))
	ordinals := map[int]int{}
	var all actors
	w.agents = make([]*agentRun, len(plan.Intents))
	for i, intent := range plan.Intents {
		claim := intent.Claim
		for _, reset := range plan.Resets[:w.n] {
			if reset.Corrected {
				claim += 10
			}
		}
		r := &agentRun{world: w.world, run: run, cancelled: cancelled, plans: &plans{attempts: intent.Attempts[w.n]}, abandon: plan.Abandon}
		w.agents[i] = r
		r.request = asteroid.ExecuteAgentInput{AgentID: w.agent, Inputs: asteroid.Inputs{"claim": claim}}
		r.request.Internal = asteroid.ExecuteAgentInternal{FirstRunID: run.firstRunID, OriginalRunID: run.originalRunID}
		if intent.Key > 0 {
			r.request.IdempotencyKey = fmt.Sprintf("order-%d", intent.Key)
		} else {
			ordinals[claim]++
			r.request.Internal.Intent = asteroid.Intent{
				Namespace: namespace, WorkflowID: w.parent.workflowID, OriginalRunID: w.parent.originalRunID, RunID: w.parent.runID, Ordinal: ordinals[claim],
			}
		}
		if w.before != nil && plan.Resets[w.n-1].Pending && !plan.Child && !w.before.agents[i].pendingSince.IsZero() {
			r.request, r.pendingSince = w.before.agents[i].scheduledRequest, w.before.agents[i].pendingSince
		}
		request := r.request
		all.add(time.Duration(intent.After)+time.Duration(i)*1051*time.Microsecond, func() {
			began := time.Now()
			execution, err := r.result()
			outcomes[i] = outcome{plan, intent, request, r.executed, execution, err, time.Since(began)}
		})
	}
	all.group.Wait()
	w.cancelSuperseded()
	if run.over.Err() == nil {
		w.server.mu.Lock()
		defer w.server.mu.Unlock()
		w.outcomes = append(w.outcomes, outcomes...)
	}
}

// cancelSuperseded is agents.cancelSuperseded.
func (w *agentsRun) cancelSuperseded() {
	adopted, seen := map[string]bool{}, map[string]bool{}
	for _, r := range w.agents {
		adopted[r.executed.ExecutionID] = true
	}
	for _, r := range w.agents {
		for _, id := range r.superseded {
			if !adopted[id] && !seen[id] {
				seen[id] = true
				in := asteroid.SetExecutionStatusInput{ExecutionID: id, Status: asteroid.StatusCancelled}
				_ = r.execute(r.run.over, r.run, asteroid.SetExecutionStatusName, in, callOptions(5*time.Minute), r.plans, nil)
			}
		}
	}
}

var keyNumber = regexp.MustCompile(`#[0-9]+$`)

// audit checks the invariants at the end.
func (a *agentsWorld) audit() {
	alive := map[string][]testsuite.Execution{} // by key
	byID := map[string]testsuite.Execution{}
	for _, e := range a.api.Executions() {
		byID[e.ID] = e
		if e.Status != "cancelled" && e.Status != "failed" {
			key := keyNumber.ReplaceAllString(e.Metadata[asteroid.MetadataExecutionKey], "")
			alive[key] = append(alive[key], e)
		}
	}
	for key, executions := range alive {
		if len(executions) > 1 {
			a.violate("several agents of one intent are alive", "%d of %s", len(executions), key)
		}
	}
	for _, o := range a.outcomes {
		a.auditOutcome(o, alive, byID)
	}
	if n := len(a.api.Requests()); n > maxRequests*len(a.outcomes) {
		a.violate("too many requests", "%d for %d intents", n, len(a.outcomes))
	}
}

func (a *agentsWorld) auditOutcome(o outcome, alive map[string][]testsuite.Execution, byID map[string]testsuite.Execution) {
	shared := o.Key > 0 && a.sharing(o.Key) > 1 || o.Child && len(o.Resets) > 0
	id := o.executed.ExecutionID
	claim := fmt.Sprint(o.request.Inputs["claim"])
	if e, ok := byID[id]; id != "" && (!ok || fmt.Sprint(e.Inputs["claim"]) != claim || e.AgentID != a.agent) {
		a.violate("an intent has an execution of other inputs", "claim %s has %v of %s", claim, e.Inputs, id)
	}
	if o.took > patience+agentWork+30*time.Minute {
		a.violate("an intent took too long", "%s, claim %s", o.took, claim)
	}
	switch {
	case o.err == nil && o.execution.Status == asteroid.StatusCompleted:
		var result map[string]any
		if o.execution.ExecutionResult == nil || json.Unmarshal(o.execution.ExecutionResult.Result, &result) != nil || fmt.Sprint(result["claim"]) != claim {
			a.violate("an intent has the result of other inputs", "claim %s has %+v", claim, o.execution.ExecutionResult)
		}
		return
	case o.err == nil && o.execution.Status == asteroid.StatusFailed && a.failing > 0:
	case o.err == nil && o.execution.Status == asteroid.StatusCancelled && (shared || o.CancelAfter > 0):
	case o.err == nil:
		a.violate("the execution that an intent follows was cancelled", "claim %s, %s", claim, id)
	case errors.Is(o.err, errLeftUnknown):
		return
	case asteroid.IsUnauthorized(o.err):
		if id != "" {
			return // of the wait: the agent goes on
		}
	case temporal.IsCanceledError(o.err):
		if o.CancelAfter == 0 {
			a.violate("an intent was cancelled by nobody", "claim %s", claim)
		}
	case asteroid.IsInvalidInput(o.err):
		if !shared {
			a.violate("a request was refused", "claim %s: %v", claim, o.err)
		}
	default:
		a.violate("an intent failed", "claim %s: %v", claim, o.err)
	}
	if shared || o.Abandon {
		return
	}
	for key, executions := range alive {
		for _, e := range executions {
			if e.ID == id || fmt.Sprint(e.Inputs["claim"]) == claim && key == a.keyOf(o) {
				a.violate("nobody follows an execution", "claim %s, %s is %s: %v", claim, e.ID, e.Status, o.err)
			}
		}
	}
}

// keyOf returns the key of an intent whose execution is not known.
func (a *agentsWorld) keyOf(o outcome) string {
	details, _ := asteroid.DetailsOf(o.err)
	for _, key := range []string{o.request.IdempotencyKey, o.executed.ExecutionKey, details.ExecutionKey} {
		if key != "" {
			return keyNumber.ReplaceAllString(key, "")
		}
	}
	return "unknown"
}

// sharing returns how many intents have the key.
func (a *agentsWorld) sharing(key int) (n int) {
	for _, o := range a.outcomes {
		if o.Key == key {
			n++
		}
	}
	return n
}

func TestSimulationOfAgents(t *testing.T) {
	t.Parallel()
	check(t, drawAgents, runAgents)
}
