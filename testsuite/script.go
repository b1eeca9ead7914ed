package testsuite

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

// Agent is the script of an agent. It is called once for each execution, at its creation, and
// returns the execution's steps. It may read the files, but it must not wait or call the API. The
// last step must be terminal: [Complete], [Fail] or [CancelBy].
type Agent func(run Run) []Step

// Run is the input of an execution.
type Run struct {
	ExecutionID string
	AgentID     string

	// Inputs are decoded by encoding/json: numbers are float64. Never nil.
	Inputs map[string]any
	// Metadata is never nil.
	Metadata map[string]string
	// Files are the staged files, in the order of the request.
	Files []File

	// ParentExecutionID is the original execution of a rerun, otherwise empty.
	ParentExecutionID string
	// ProfileID is the requested profile, or the one chosen from ProfileGroupID.
	ProfileID, ProfileGroupID string
	// Version is the pinned version, zero without one. Head is true if the request asks for the
	// editable head.
	Version int
	Head    bool
	// StorageKey is sharedStorageKey or variantKey. SoftTimeoutMins is zero if not given.
	StorageKey      string
	SoftTimeoutMins int
}

// File is a file of an execution.
type File struct {
	Name, ContentType string
	Size              int64
	SHA256            string // lower-case hex

	blob *blob
}

// Open reads the content from its beginning. The caller must close it.
func (f File) Open() (io.ReadCloser, error) {
	if f.blob == nil {
		return nil, errors.New("the File has no content: only files of a Run or an Execution have")
	}
	return f.blob.open()
}

// Step is one action of an agent.
type Step struct {
	// do carries the step out at the given time. The next step follows at once unless this one
	// changes the status or sets a time to wake.
	do func(e *execution, at time.Time)
}

// Work takes the time d.
func Work(d time.Duration) Step {
	return Step{func(e *execution, at time.Time) {
		if d > 0 {
			e.wakeAt(at.Add(d))
		}
	}}
}

// Reason writes a reasoning activity.
func Reason(text string) Step {
	return Step{func(e *execution, at time.Time) {
		e.addActivity(at, api.ReasoningPayload{ActivityType: "reasoning", Reasoning: text})
	}}
}

// Act writes an action_started and an action_completed activity. The vendor's own SDKs accept only
// the service's action names, such as nav_to, element_click, file_read or obs_snapshot.
func Act(name, message string) Step {
	return Step{func(e *execution, at time.Time) {
		id := newUUID()
		e.addActivity(at, api.ActionStartedPayload{ActivityType: "action_started", ActionID: id, ActionName: name, Message: message})
		e.addActivity(at, api.ActionCompletedPayload{
			ActivityType: "action_completed", ActionID: id, ActionName: name, Message: message, Duration: new(int64(0)),
		})
	}}
}

// Question is a question of an agent, with suggested answers.
type Question struct {
	Text        string
	Header      string // a short title; the default is "Question"
	MultiSelect bool
	Options     []Choice
}

// Choice is one suggested answer.
type Choice struct{ Label, Description string }

// Ask stops the execution as paused_by_agent until a user message or the status running arrives.
// Then the next step follows. options are the labels of suggested answers.
func Ask(question string, options ...string) Step {
	q := Question{Text: question}
	for _, label := range options {
		q.Options = append(q.Options, Choice{Label: label})
	}
	return AskFor(q, nil)
}

// AskFor is [Ask] with every member of a question. The steps that then returns for the answer come
// before the remaining ones. The answer is empty if the execution was resumed without a message.
func AskFor(question Question, then func(answer string) []Step) Step {
	return Step{func(e *execution, at time.Time) { e.ask(at, question, then) }}
}

// AwaitConfirmation stops the execution as awaiting_confirmation until its status is set to
// running. A user message confirms nothing.
func AwaitConfirmation(reason string) Step {
	return Step{func(e *execution, at time.Time) {
		e.setStatus(at, api.ExecutionStatusAwaitingConfirmation, func(p *api.StatusChangedPayload) {
			p.AwaitingConfirmationPayload = &api.ReasonDetail{Reason: reason}
		})
	}}
}

// WriteFile writes a file to one of the directories downloads, workspace, shared and debug. The
// agent keeps files in shared for later executions.
func WriteFile(directory, name, contentType string, content []byte) Step {
	return Step{func(e *execution, at time.Time) {
		e.writeFile(at, directory, name, contentType, e.service.spool.storeBytes(content))
	}}
}

// CopyFile writes a file of the Run, of any size, under another name.
func CopyFile(directory, name string, file File) Step {
	return Step{func(e *execution, at time.Time) {
		if file.blob == nil {
			e.scriptError(at, "CopyFile needs a File of the Run")
			return
		}
		e.writeFile(at, directory, name, file.ContentType, file.blob)
	}}
}

// ScriptFailure is one failed run of the script of a scripted node.
type ScriptFailure struct {
	NodeName, File, Error string
	Line                  int // 0: unknown
}

// FailScript tells of a script that failed. The agent goes on: the node works without its script.
// A script that ends the run is followed by CancelBy("script_failed").
func FailScript(f ScriptFailure) Step {
	return Step{func(e *execution, at time.Time) {
		failure := api.ScriptFailure{OccurredAt: at, NodeID: new(newUUID()), NodeName: &f.NodeName, ScriptFilepath: &f.File, Error: &f.Error}
		if f.Line > 0 {
			failure.FailedLine = &f.Line
		}
		e.failures = append(e.failures, failure)
	}}
}

// Complete ends the execution as completed. The result is any value that encoding/json can encode.
func Complete(outcome, reasoning string, result any) Step {
	return Step{func(e *execution, at time.Time) {
		raw, err := json.Marshal(result)
		if err != nil {
			e.scriptError(at, fmt.Sprintf("the result of Complete cannot be encoded as JSON: %v", err))
			return
		}
		e.complete(at, outcome, reasoning, raw)
	}}
}

// CompleteAt is [Complete] at an output node of the agent's version: it writes the activity that
// tells the node.
func CompleteAt(node, outcome, reasoning string, result any) Step {
	complete := Complete(outcome, reasoning, result)
	return Step{func(e *execution, at time.Time) {
		e.addActivity(at, api.TransitionedNodePayload{
			ActivityType: "transitioned_node", NewNodeName: node, NewNodeType: "output", NewNodeUUID: newUUID(),
		})
		complete.do(e, at)
	}}
}

// Fail ends the execution as failed.
func Fail(reason string) Step {
	return Step{func(e *execution, at time.Time) { e.fail(at, reason) }}
}

// CancelBy ends the execution as cancelled for one of the service's own reasons: timeout,
// max_steps, script_failed, no_activity, budget_exceeded, no_warm_environment or worker_lost.
func CancelBy(reason string) Step {
	return Step{func(e *execution, at time.Time) {
		if !api.CancelReason(reason).Valid() {
			e.scriptError(at, fmt.Sprintf("CancelBy(%q) is not a reason that the service has", reason))
			return
		}
		e.cancel(at, api.CancelReason(reason))
	}}
}
