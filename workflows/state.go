package workflows

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
)

// StateQuery is the query that every workflow answers which runs agents: it returns a [State].
const StateQuery = "asteroid.state"

// State is what a workflow knows of its agents.
type State struct {
	// Agents are in the order in which they were started.
	Agents []AgentState `json:"agents"`
}

// Phase is how far an agent is.
type Phase string

// The phases, in the order in which an agent passes through them. Not every agent passes through all.
const (
	PhaseStaging            Phase = "staging"            // its files are on their way to the service
	PhaseExecuting          Phase = "executing"          // it is being started
	PhaseWaitingForCapacity Phase = "waitingForCapacity" // the service has no room for it; Since is when it first had none
	PhaseRunning            Phase = "running"            // the execution id is known; its Status may already be terminal
	PhasePaused             Phase = "paused"             // somebody has paused it
	PhaseNeedsHuman         Phase = "needsHuman"         // it asks somebody
	PhaseCancelling         Phase = "cancelling"         // its run is being cancelled
	PhaseBackoff            Phase = "backoff"            // it failed and will be executed again
	PhaseCollecting         Phase = "collecting"         // it completed, and its files are being collected
	PhaseCompleted          Phase = "completed"
	PhaseFailed             Phase = "failed" // Error or Status says why
)

// AgentState is what a workflow knows of one agent. Times are the workflow's.
type AgentState struct {
	AgentID   string `json:"agentId"`
	AgentName string `json:"agentName,omitempty"`
	Phase     Phase  `json:"phase"`
	// Since is when the phase began, Started when the workflow turned to the agent, Ended when it was done with it.
	Since   time.Time `json:"since"`
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended,omitzero"`
	// ExecutionID is known once the phase is PhaseRunning.
	ExecutionID string `json:"executionId,omitempty"`
	// Status is the last one seen, Statuses are those seen so far of this execution, the newest last and at most 50.
	Status   asteroid.Status `json:"status,omitempty"`
	Statuses []StatusTime    `json:"statuses,omitempty"`
	// FailedExecutions are the ids of executions that failed and were followed by this one.
	FailedExecutions []string `json:"failedExecutions,omitempty"`
	Reason           string   `json:"reason,omitempty"`
	// Questions are what the agent asks; empty when it only gave a Reason. AskedSince is when the workflow learned of it, and
	// Overdue says that HumanTimeoutSeconds have passed since.
	Questions  []asteroid.Question   `json:"questions,omitempty"`
	AskedSince time.Time             `json:"askedSince,omitzero"`
	Overdue    bool                  `json:"overdue,omitempty"`
	Outcome    string                `json:"outcome,omitempty"`
	Files      []asteroid.StagedFile `json:"files,omitempty"`
	// Outputs are the files that were collected.
	Outputs []asteroid.OutputFile `json:"outputs,omitempty"`
	Error   string                `json:"error,omitempty"`

	PlatformURL  string `json:"platformUrl,omitempty"`
	LiveViewURL  string `json:"liveViewUrl,omitempty"`
	RecordingURL string `json:"recordingUrl,omitempty"`

	requested []string // labels of the files, until they are staged
	result    []byte
}

// StatusTime is a status and since when the execution has had it: by the service's clock where the service tells, else when the
// workflow learned of it.
type StatusTime struct {
	Status asteroid.Status `json:"status"`
	Since  time.Time       `json:"since"`
}

// agents are the agents of one workflow.
type agents struct {
	runs     []*AgentRun
	keeper   bool              // kept for the whole workflow by the interceptor
	rendered string            // what these agents last put into the current details
	marked   map[string]string // what the search attributes hold
}

type agentsKey struct{}

// NewInterceptor returns the interceptor that lets all agents of a workflow appear in one state and one page, and
// number them for their idempotency keys. The plugin of package worker adds it. Without it, each call of RunAgent in a
// workflow replaces the state that the call before it showed, and identifies its intent by the activity's id.
func NewInterceptor() interceptor.WorkerInterceptor { return &workerInterceptor{} }

type workerInterceptor struct {
	interceptor.WorkerInterceptorBase
}

func (*workerInterceptor) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &workflowInterceptor{interceptor.WorkflowInboundInterceptorBase{Next: next}, agents{keeper: true}}
}

// workflowInterceptor puts the agents of its workflow into whatever of the workflow's code can start one.
type workflowInterceptor struct {
	interceptor.WorkflowInboundInterceptorBase
	agents agents
}

func (i *workflowInterceptor) with(ctx workflow.Context) workflow.Context {
	if ctx.Value(agentsKey{}) != nil {
		return ctx // the plugin is on the client and on the worker
	}
	return workflow.WithValue(ctx, agentsKey{}, &i.agents)
}

func (i *workflowInterceptor) ExecuteWorkflow(ctx workflow.Context, in *interceptor.ExecuteWorkflowInput) (any, error) {
	return i.Next.ExecuteWorkflow(i.with(ctx), in)
}

func (i *workflowInterceptor) HandleSignal(ctx workflow.Context, in *interceptor.HandleSignalInput) error {
	return i.Next.HandleSignal(i.with(ctx), in)
}

func (i *workflowInterceptor) ExecuteUpdate(ctx workflow.Context, in *interceptor.UpdateInput) (any, error) {
	return i.Next.ExecuteUpdate(i.with(ctx), in)
}

func agentsOf(ctx workflow.Context) *agents {
	if kept, ok := ctx.Value(agentsKey{}).(*agents); ok {
		return kept
	}
	return &agents{}
}

// add takes in an agent. With the first one it begins to answer the query, to listen for events and to take updates.
func (a *agents) add(ctx workflow.Context, r *AgentRun) {
	now := workflow.Now(ctx)
	r.state = &AgentState{AgentID: r.in.AgentID, Started: now, Since: now}
	for _, ref := range r.in.Files {
		r.state.requested = append(r.state.requested, fileLabel(ref))
	}
	a.runs = append(a.runs, r)
	if len(a.runs) > 1 {
		return
	}
	err := workflow.SetQueryHandlerWithOptions(ctx, StateQuery, a.snapshot, workflow.QueryHandlerOptions{
		Description: "How far each agent of this workflow is, with its execution id.",
	})
	if err != nil {
		workflow.GetLogger(ctx).Error("The state query could not be registered", "error", err)
	}
	// For as long as the workflow runs, whatever becomes of the context of its first agent. Each in a coroutine of its own, since
	// to register an update handler lets other coroutines run, which may add agents.
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	workflow.Go(ctx, a.takeUpdates)
	workflow.Go(ctx, a.listen)
}

func (a *agents) snapshot() (State, error) {
	state := State{Agents: make([]AgentState, len(a.runs))}
	for i, r := range a.runs {
		state.Agents[i] = *r.state
	}
	return state, nil
}

// intent returns the idempotency key of the agent that was added last. The original run id survives a reset, and the
// agent's number survives another staging; neither does a continue-as-new, which is a new intent. Without the
// interceptor nothing counts the agents, and the activity makes the key of its own id.
func (a *agents) intent(ctx workflow.Context) string {
	if !a.keeper {
		return ""
	}
	info := workflow.GetInfo(ctx)
	run := cmp.Or(info.OriginalRunID, info.WorkflowExecution.RunID)
	return fmt.Sprintf("%s/%s/%s/agent-%d", info.Namespace, info.WorkflowExecution.ID, run, len(a.runs))
}

// to moves the agent on to a phase and shows it.
func (r *AgentRun) to(ctx workflow.Context, phase Phase) {
	r.state.Phase, r.state.Since = phase, workflow.Now(ctx)
	r.agents.show(ctx)
}

// observe takes in what the service says of the run.
func (r *AgentRun) observe(ctx workflow.Context, e *asteroid.Execution) {
	s := r.state
	// That its time can be read only now makes a question no other one.
	anew := e.Status != s.Status || !r.changedAt.IsZero() && e.StatusChangedAt.After(r.changedAt)
	if anew || r.changedAt.IsZero() {
		r.changedAt = e.StatusChangedAt
	}
	if anew {
		r.answered = s.Status.NeedsHuman() && !e.Status.NeedsHuman()
		s.seen(e.Status, since(e, workflow.Now(ctx)))
	}
	// A question does not go away because the activities cannot be read for once.
	if anew || e.Reason != "" || len(e.Questions) > 0 {
		s.Reason, s.Questions = e.Reason, e.Questions
	}
	s.AgentName, s.Status = e.AgentName, e.Status
	s.PlatformURL, s.LiveViewURL, s.RecordingURL = e.PlatformURL, e.LiveViewURL, e.RecordingURL
	if e.ExecutionResult != nil {
		s.Outcome, s.result = e.ExecutionResult.Outcome, e.ExecutionResult.Result
	}
	r.askedNow(ctx, e, anew)
	phase := PhaseRunning
	switch {
	case e.Status.NeedsHuman():
		phase = PhaseNeedsHuman
	case e.Status.Class() == asteroid.ClassPaused:
		phase = PhasePaused
	case e.Status.Terminal() && (s.Phase == PhaseCancelling || s.Phase == PhaseBackoff):
		phase = s.Phase
	}
	if phase == s.Phase && !anew {
		r.agents.show(ctx)
		return
	}
	r.to(ctx, phase)
}

// since is when an execution came to its status, as far as it tells.
func since(e *asteroid.Execution, seen time.Time) time.Time {
	switch {
	case !e.StatusChangedAt.IsZero():
		return e.StatusChangedAt
	case e.Status.Terminal() && e.TerminalAt != nil:
		return *e.TerminalAt
	default:
		return seen
	}
}

// maxStatuses bounds the state of an agent that asks all day.
const maxStatuses = 50

func (s *AgentState) seen(status asteroid.Status, since time.Time) {
	s.Statuses = append(s.Statuses, StatusTime{status, since})
	if len(s.Statuses) > maxStatuses {
		s.Statuses = slices.Delete(s.Statuses, 0, 1)
	}
}

// unexplained reports whether what a halted agent wants is not known.
func (s *AgentState) unexplained() bool { return s.Reason == "" && len(s.Questions) == 0 }

// end is the last phase, with an error or without.
func (r *AgentRun) end(ctx workflow.Context, err error) {
	r.over = true
	r.state.Ended = workflow.Now(ctx)
	phase := PhaseCompleted
	if err != nil {
		phase, r.state.Error = PhaseFailed, err.Error()
	} else if r.state.Status != asteroid.StatusCompleted {
		phase = PhaseFailed
	}
	r.to(ctx, phase)
}

// show puts the agents into the current details, below what the workflow's author has put there, or where they were.
func (a *agents) show(ctx workflow.Context) {
	details, before := workflow.GetCurrentDetails(ctx), a.rendered
	a.rendered = a.markdown()
	if before != "" && strings.Contains(details, before) {
		details = strings.Replace(details, before, a.rendered, 1)
	} else {
		details += a.rendered
	}
	workflow.SetCurrentDetails(ctx, details)
	a.mark(ctx)
}
