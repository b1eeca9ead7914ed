package workflows

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/budget"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// StateQuery is the query that every workflow with agents answers. It returns a [State]. Workers
// answer queries besides their workflow tasks: programs that query more often than the workers can
// answer delay all workflows of the task queue.
const StateQuery = "asteroid.state"

// State is what a workflow knows of its agents.
//
// It has about 1 MiB at most. Beyond that the earliest agents lack their lists (files, outputs,
// questions, statuses), then their texts and links, then themselves.
type State struct {
	Agents  []AgentState `json:"agents"`            // in the order in which they were started
	Omitted int          `json:"omitted,omitempty"` // how many earlier agents are left out
}

// Phase is how far an agent has come.
type Phase string

// The phases, in the order in which an agent passes through them. An agent may skip some.
const (
	PhaseWaitingForTurn     Phase = "waitingForTurn"     // too many agents of the workflow are under way
	PhaseWaitingForPermit   Phase = "waitingForPermit"   // a limit's permits are held by other runs
	PhaseStaging            Phase = "staging"            // its files are uploaded to the service
	PhaseExecuting          Phase = "executing"          // it is being started
	PhaseWaitingForCapacity Phase = "waitingForCapacity" // the service has no capacity; Since is the first refusal
	PhaseRunning            Phase = "running"            // the execution id is known; Status may already be terminal
	PhasePaused             Phase = "paused"             // a person has paused it
	PhaseNeedsHuman         Phase = "needsHuman"         // it waits for a person
	PhaseCancelling         Phase = "cancelling"         // its run is being cancelled
	PhaseBackoff            Phase = "backoff"            // it failed and will be executed again
	PhaseCollecting         Phase = "collecting"         // it completed, and its files are being collected
	PhaseCompleted          Phase = "completed"
	PhaseFailed             Phase = "failed" // Error or Status says why
)

// AgentState is what a workflow knows of one agent. Times are the workflow's.
type AgentState struct {
	AgentID    string `json:"agentId"`
	AgentName  string `json:"agentName,omitempty"`
	Connection string `json:"connection,omitempty"` // as in the input
	Phase      Phase  `json:"phase"`
	// Since is when the phase began. Started and Ended are when the workflow began and finished its
	// work on the agent.
	Since       time.Time `json:"since"`
	Started     time.Time `json:"started"`
	Ended       time.Time `json:"ended,omitzero"`
	ExecutionID string    `json:"executionId,omitempty"` // known from PhaseRunning on
	// Permit is the key of the limit that the agent waits for. It is empty until the limiter has
	// taken the request, which takes long while 5,000 other runs wait. PermitBefore is how many
	// runs go first; it is as old as the phase, at most an hour.
	Permit       string `json:"permit,omitempty"`
	PermitBefore int    `json:"permitBefore,omitempty"`
	// PermitUnservedQueue is the task queue of the limiter, if no worker polls it. The agent waits
	// until one does.
	PermitUnservedQueue string `json:"permitUnservedQueue,omitempty"`
	// Status is the latest one. Statuses are those of this execution that the workflow has read,
	// the newest last, at most 50.
	Status   asteroid.Status `json:"status,omitempty"`
	Statuses []StatusTime    `json:"statuses,omitempty"`
	// FailedExecutions are the ids of executions that failed and were followed by this one.
	FailedExecutions []string `json:"failedExecutions,omitempty"`
	Reason           string   `json:"reason,omitempty"`
	// Questions are what the agent asks; empty when it only gave a Reason. Asking identifies it: an
	// update that answers names it. It is empty while that cannot be read. AskedSince is when the
	// workflow learned of it. Overdue says that HumanTimeoutSeconds have passed since.
	Questions  []asteroid.Question `json:"questions,omitempty"`
	Asking     string              `json:"asking,omitempty"`
	AskedSince time.Time           `json:"askedSince,omitzero"`
	Overdue    bool                `json:"overdue,omitempty"`
	// Answer is the latest answer by update, to this asking or an earlier one.
	Answer *SentAnswer `json:"answer,omitempty"`
	// StartedBy and ScriptFailures are documented at [asteroid.Execution].
	StartedBy      *asteroid.Actor          `json:"startedBy,omitempty"`
	ScriptFailures []asteroid.ScriptFailure `json:"scriptFailures,omitempty"`
	// Warnings and ResultMismatch are documented at [RunAgentResult].
	Warnings       []string `json:"warnings,omitempty"`
	ResultMismatch []string `json:"resultMismatch,omitempty"`
	// UnreadableSince is since when the service does not let the execution be read. What the state
	// says of the execution is older.
	UnreadableSince time.Time             `json:"unreadableSince,omitzero"`
	Outcome         string                `json:"outcome,omitempty"`
	Files           []asteroid.StagedFile `json:"files,omitempty"`
	Outputs         []asteroid.OutputFile `json:"outputs,omitempty"` // the collected files
	Error           string                `json:"error,omitempty"`

	PlatformURL  string `json:"platformUrl,omitempty"`
	LiveViewURL  string `json:"liveViewUrl,omitempty"`
	RecordingURL string `json:"recordingUrl,omitempty"`

	requested []string // labels of the files, until they are staged
	result    []byte   // as much of it as is shown
	omitted   *asteroid.OmittedResult
	ended     bool           // with whatever status
	rerun     bool           // of another execution
	workflow  *workflow.Info // where to send updates
}

// StatusTime is a status and since when the execution has had it. Since is the service's time if
// the service tells it, else the time at which the workflow learned of the status.
type StatusTime struct {
	Status asteroid.Status `json:"status"`
	Since  time.Time       `json:"since"`
}

// enterPhase sets the agent's phase and shows it.
func (r *AgentRun) enterPhase(ctx workflow.Context, phase Phase) {
	r.state.Phase, r.state.Since = phase, workflow.Now(ctx)
	r.show(ctx)
	r.tellBatch(ctx)
}

// enterFinalPhase enters PhaseCompleted or PhaseFailed, and refuses further updates.
func (r *AgentRun) enterFinalPhase(ctx workflow.Context, err error) {
	r.finished = true
	r.state.Ended = workflow.Now(ctx)
	phase := PhaseCompleted
	if err != nil {
		phase, r.state.Error = PhaseFailed, text.Prose(err.Error(), budget.ErrorMessage)
	} else if r.state.Status != asteroid.StatusCompleted {
		phase = PhaseFailed
	}
	r.enterPhase(ctx, phase)
	r.measureRun(ctx, err)
}

// observe updates the state to an execution that was read.
func (r *AgentRun) observe(ctx workflow.Context, e *asteroid.Execution) {
	s := r.state
	s.UnreadableSince = time.Time{}
	// A status time that becomes readable late is no change: the question is the same.
	changed := e.Status != s.Status || r.askedAgain(e)
	if changed || r.changedAt.IsZero() {
		r.changedAt = e.StatusChangedAt
	}
	if changed {
		r.afterQuestion = s.Status.NeedsHuman() && !e.Status.NeedsHuman()
		s.addStatus(e.Status, statusSince(e, workflow.Now(ctx)))
		if e.Status.Class() == asteroid.ClassUnknown {
			workflow.GetLogger(ctx).Warn("The execution has a status that this version of the library does not know: update the library",
				"executionId", e.ExecutionID, "status", e.Status)
		}
	}
	// A read whose activities failed, or that lags behind, keeps the known question.
	if lags := e.StatusChangedAt.Before(r.changedAt); changed || !lags && (e.Reason != "" || len(e.Questions) > 0) {
		s.Reason, s.Questions, s.Asking = e.Reason, e.Questions, e.Asking
	}
	s.AgentName, s.Status, s.ended = e.AgentName, e.Status, e.Terminal()
	s.StartedBy, s.rerun, s.ScriptFailures = e.StartedBy, e.ParentExecutionID != "", e.ScriptFailures
	s.PlatformURL, s.LiveViewURL, s.RecordingURL = e.PlatformURL, e.LiveViewURL, e.RecordingURL
	if e.ExecutionResult != nil {
		s.Outcome, s.omitted = e.ExecutionResult.Outcome, e.ResultOmitted
		s.result = e.Result()[:min(len(e.Result()), budget.ShownResult+1)]
	}
	askedSince := s.AskedSince
	r.deadline.track(ctx, s, e.Status, changed)
	if changed {
		r.announceCounters(ctx)
		r.measureQuestions(ctx, askedSince)
	}
	phase := s.phaseOfStatus()
	if phase == s.Phase && !changed {
		r.show(ctx)
		return
	}
	r.enterPhase(ctx, phase)
}

// askedAgain reports whether the execution has come to the status that it had, another time.
func (r *AgentRun) askedAgain(e *asteroid.Execution) bool {
	return !r.changedAt.IsZero() && e.StatusChangedAt.After(r.changedAt) ||
		e.StatusChangedAt.Equal(r.changedAt) && e.Asking != "" && r.state.Asking != "" && e.Asking != r.state.Asking
}

// terminal reports whether the execution has ended. A status that this version does not know tells
// nothing by itself.
func (s *AgentState) terminal() bool { return s.ended || s.Status.Terminal() }

// phaseOfStatus returns the phase that follows from the status. A terminal run keeps
// PhaseCancelling and PhaseBackoff.
func (s *AgentState) phaseOfStatus() Phase {
	switch {
	case s.Status.NeedsHuman():
		return PhaseNeedsHuman
	case s.Status.Class() == asteroid.ClassPaused:
		return PhasePaused
	case s.terminal() && (s.Phase == PhaseCancelling || s.Phase == PhaseBackoff):
		return s.Phase
	default:
		return PhaseRunning
	}
}

// leaveOutLists makes the state smaller, for a query about many agents.
func (s *AgentState) leaveOutLists() {
	s.Statuses, s.FailedExecutions, s.Questions, s.Files, s.Outputs = nil, nil, nil, nil, nil
	s.ScriptFailures, s.Warnings, s.ResultMismatch = nil, nil, nil
}

// leaveOutTexts leaves what identifies the agent and says how far it has come.
func (s *AgentState) leaveOutTexts() {
	s.Reason, s.Error = text.Clip(s.Reason), text.Clip(s.Error)
	s.PlatformURL, s.LiveViewURL, s.RecordingURL = "", "", ""
}

// statusSince returns when an execution came to its status: the service's time, or now.
func statusSince(e *asteroid.Execution, now time.Time) time.Time {
	switch {
	case !e.StatusChangedAt.IsZero():
		return e.StatusChangedAt
	case e.Terminal() && e.TerminalAt != nil:
		return *e.TerminalAt
	default:
		return now
	}
}

// addStatus adds a status, and drops the oldest of too many: an agent may ask all day.
func (s *AgentState) addStatus(status asteroid.Status, since time.Time) {
	const limit = 50
	s.Statuses = append(s.Statuses, StatusTime{status, since})
	if len(s.Statuses) > limit {
		s.Statuses = slices.Delete(s.Statuses, 0, 1)
	}
}

// questionText returns what the agent asks, short enough for a keyword, and empty otherwise.
func (s *AgentState) questionText() string {
	if s.Phase != PhaseNeedsHuman {
		return ""
	}
	asked := s.Reason
	if len(s.Questions) > 0 {
		asked = strings.Join(texts(s.Questions, func(q asteroid.Question) string { return q.Question }), " / ")
	}
	return cmp.Or(text.Line(asked, budget.Keyword), string(s.Status))
}
