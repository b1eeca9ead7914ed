package workflows

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/bound"
	"github.com/temporal-asteroid/asteroid/internal/budget"
	"github.com/temporal-asteroid/asteroid/internal/intent"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// agents are the agents of one workflow.
type agents struct {
	runs             []*AgentRun
	workflowWide     bool   // the interceptor made it, for all agents of the workflow
	registered       bool   // the handlers are
	rendered         string // what these agents last put into the current details
	turns            turns
	searchAttributes keywords       // as they were last set
	ordinals         map[string]int // how many requests were made, by their identity
	handling         int            // updates that have not returned
	executions       []string       // the ids that executes have returned
	replaced         replacedRuns
	permitWaiters    map[string]*permitWaiters // by the limiter's workflow id
	permitRequests   workflow.Semaphore        // those that have not returned
	permitReleases   workflow.Semaphore
	row              *asteroid.RowResult // what the workflow returns instead of its result or error
}

// add adds an agent, which the state shows from then on.
func (a *agents) add(ctx workflow.Context, r *AgentRun) {
	a.register(ctx)
	now := workflow.Now(ctx)
	r.state = &AgentState{
		AgentID: text.Prose(r.in.AgentID, budget.ID), Connection: text.Prose(r.in.Connection, budget.Name), Started: now, Since: now, workflow: workflow.GetInfo(ctx),
	}
	for _, ref := range r.in.Files {
		r.state.requested = append(r.state.requested, fileLabel(ref))
	}
	r.sending = workflow.NewMutex(ctx)
	a.runs = append(a.runs, r)
}

// refuse returns the error of an input, after the state shows it.
func (a *agents) refuse(ctx workflow.Context, in RunAgentInput, err error) error {
	run := &AgentRun{in: in, agents: a}
	a.add(ctx, run)
	run.enterFinalPhase(ctx, err)
	return err
}

// register registers the query, the updates and the receiver of events, once. It comes before the
// validation of an input, so that the state of a workflow that fails with it can be queried.
func (a *agents) register(ctx workflow.Context) {
	if a.registered {
		return
	}
	a.registered = true
	a.permitRequests, a.permitReleases = workflow.NewSemaphore(ctx, maxPermitRequests), workflow.NewSemaphore(ctx, maxPermitReleases)
	err := workflow.SetQueryHandlerWithOptions(ctx, StateQuery, a.snapshot, workflow.QueryHandlerOptions{
		Description: "The phase of each agent of this workflow, with its execution id.",
	})
	if err != nil {
		workflow.GetLogger(ctx).Error("Could not register the state query", "error", err)
	}
	// The handlers outlive the context of the first agent. Each runs in its own coroutine: to
	// register an update handler lets other coroutines run, which may add agents.
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	workflow.Go(ctx, a.registerUpdates)
	workflow.Go(ctx, a.receiveEvents)
	workflow.Go(ctx, a.receivePermits)
}

// snapshot returns the state. Of more agents than a query can return it leaves out the lists of the
// earliest, then their texts, then the earliest themselves.
func (a *agents) snapshot() (State, error) {
	state := State{Agents: make([]AgentState, len(a.runs))}
	for i, r := range a.runs {
		state.Agents[i] = *r.state
	}
	fits := bound.Fit(state.Agents, budget.State, (*AgentState).leaveOutLists, (*AgentState).leaveOutTexts)
	if !fits {
		left := budget.State
		for i := range slices.Backward(state.Agents) {
			if left -= bound.Size(state.Agents[i]); left < 0 {
				state.Omitted, state.Agents = i+1, state.Agents[i+1:]
				break
			}
		}
	}
	return state, nil
}

// identify says in a request which intent it is. The original run id survives a reset. Equal
// requests are counted, so the order in which a workflow starts agents does not matter. Without the
// interceptor nothing counts them, and the activity's id identifies its intent. identify returns
// the token of the agent's permits, which a reset does not change either.
func (a *agents) identify(ctx workflow.Context, request *asteroid.ExecuteAgentInput, files []string) (token string) {
	if !a.workflowWide || request.Internal.OriginalRunID != "" {
		return ""
	}
	info := workflow.GetInfo(ctx)
	internal := &request.Internal
	internal.FirstRunID, internal.OriginalRunID = info.FirstRunID, originalRunID(info)
	identity := intent.Of(*request, files).Identity()
	ordinal := a.count(identity)
	if request.IdempotencyKey == "" && internal.Intent == (asteroid.Intent{}) {
		internal.Intent = newIntent(info, ordinal)
	}
	return permitToken(info, identity, ordinal)
}

func newIntent(info *workflow.Info, ordinal int) asteroid.Intent {
	return asteroid.Intent{
		Namespace: info.Namespace, WorkflowID: info.WorkflowExecution.ID, OriginalRunID: originalRunID(info),
		RunID: info.WorkflowExecution.RunID, Ordinal: ordinal,
	}
}

// count returns how many times the workflow has counted equal requests, with this one.
func (a *agents) count(identity string) int {
	if a.ordinals == nil {
		a.ordinals = map[string]int{}
	}
	a.ordinals[identity]++
	return a.ordinals[identity]
}

func originalRunID(info *workflow.Info) string {
	return cmp.Or(info.OriginalRunID, info.WorkflowExecution.RunID)
}

// replacedRuns is what activities have told of runs that a reset replaced. That alone decides
// whether the workflow sweeps what those runs have left, so a history without a reset gains no
// event.
type replacedRuns struct {
	connections []string // of agents that a cancelled workflow would cancel
	resetAt     time.Time
}

// supersede remembers what an execute has told of runs that a reset replaced.
func (a *agents) supersede(connection string, executed asteroid.ExecuteAgentResult) {
	if len(executed.Superseded) == 0 && executed.ResetAt.IsZero() {
		return
	}
	if !slices.Contains(a.replaced.connections, connection) {
		a.replaced.connections = append(a.replaced.connections, connection)
	}
	if executed.ResetAt.After(a.replaced.resetAt) {
		a.replaced.resetAt = executed.ResetAt
	}
}

// sweepReplacedRuns cancels the executions of replaced runs of the workflow that nothing in this
// run has adopted. err is what the workflow's function has returned.
func (a *agents) sweepReplacedRuns(ctx workflow.Context, err error) {
	ctx, done := workflow.NewDisconnectedContext(ctx)
	defer done()
	options := workflow.GetActivityOptions(routingOptions(ctx))
	options.ScheduleToCloseTimeout, options.Summary = sweepTimeout, "End the agents of runs that a reset has replaced"
	ctx = workflow.WithActivityOptions(ctx, options)
	for _, connection := range a.replaced.connections {
		_, sweepErr := SweepDuplicates(ctx, asteroid.SweepDuplicatesInput{Connection: connection, Internal: asteroid.SweepDuplicatesInternal{
			FirstRunID: workflow.GetInfo(ctx).FirstRunID, ResetAt: a.replaced.resetAt, Adopted: a.executions,
			Continues: workflow.IsContinueAsNewError(err),
		}})
		if sweepErr != nil {
			workflow.GetLogger(ctx).Error("Could not sweep the executions of replaced runs", "error", sweepErr)
		}
	}
}

// show shows the agent's state where people see it. It costs little when nothing has changed.
func (r *AgentRun) show(ctx workflow.Context) {
	if page := r.state.markdown(); page != r.page {
		r.page = page
		r.agents.renderDetails(ctx)
	}
	r.agents.updateSearchAttributes(ctx)
}

// renderDetails replaces the agents' part of the current details, or appends it to the author's.
func (a *agents) renderDetails(ctx workflow.Context) {
	details, before := workflow.GetCurrentDetails(ctx), a.rendered
	a.rendered = a.markdown()
	if before != "" && strings.Contains(details, before) {
		details = strings.Replace(details, before, a.rendered, 1)
	} else {
		details += a.rendered
	}
	workflow.SetCurrentDetails(ctx, details)
}
