package testsuite

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

// Agent says what an agent does with one execution. It is called once for each, when the execution is
// created, with what the execution was given, and returns the steps to walk through. It may read the files
// but must neither wait nor call the API. The last step must be terminal: [Complete], [Fail] or [CancelBy].
type Agent func(run Run) []Step

// Run is what an execution was given.
type Run struct {
	ExecutionID string
	AgentID     string

	// Inputs as decoded by encoding/json: numbers are float64. Never nil.
	Inputs map[string]any
	// Metadata is never nil.
	Metadata map[string]string
	// Files are the staged files, in the order of the request.
	Files []File

	// ParentExecutionID is set if this is a rerun.
	ParentExecutionID string
	// ProfileID is the profile that was asked for, or the one chosen from ProfileGroupID.
	ProfileID, ProfileGroupID string
	// Version is what the request pinned, zero if nothing; Head is whether it asked for the editable head.
	Version int
	Head    bool
	// StorageKey is sharedStorageKey or variantKey, SoftTimeoutMins zero if not given.
	StorageKey      string
	SoftTimeoutMins int
}

// File is a file that an execution was given.
type File struct {
	Name, ContentType string
	Size              int64
	SHA256            string // lower-case hex

	blob *blob
}

// Open reads the content from its beginning. The caller closes it.
func (f File) Open() (io.ReadCloser, error) {
	if f.blob == nil {
		return nil, errors.New("this File does not come from a Run")
	}
	return f.blob.open()
}

// Step is one thing that an agent does.
type Step struct {
	// do carries the step out at the given time. An execution goes on to the next step unless this one
	// has changed its status or set when it is to be woken.
	do func(e *execution, at time.Time)
}

// Work lets d pass.
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
		e.log(at, api.ReasoningPayload{ActivityType: "reasoning", Reasoning: text})
	}}
}

// Act writes an action_started and an action_completed activity. Names that the vendor's own SDKs accept are
// those of the service's actions, such as nav_to, element_click, file_read or obs_snapshot.
func Act(name, message string) Step {
	return Step{func(e *execution, at time.Time) {
		id := newUUID()
		e.log(at, api.ActionStartedPayload{ActivityType: "action_started", ActionID: id, ActionName: name, Message: message})
		e.log(at, api.ActionCompletedPayload{
			ActivityType: "action_completed", ActionID: id, ActionName: name, Message: message, Duration: new(int64(0)),
		})
	}}
}

// Question is what an agent stops to ask, with the answers that it suggests.
type Question struct {
	Text        string
	Header      string // a short title; the default is "Question"
	MultiSelect bool
	Options     []Choice
}

// Choice is one suggested answer.
type Choice struct{ Label, Description string }

// Ask stops the execution as paused_by_agent until a user message or the status running comes, and goes on
// with the following step. options are the labels of suggested answers.
func Ask(question string, options ...string) Step {
	q := Question{Text: question}
	for _, label := range options {
		q.Options = append(q.Options, Choice{Label: label})
	}
	return AskFor(q, nil)
}

// AskFor is Ask with everything a question can have. The steps that then returns for the answer come before
// the following ones; the answer is empty if the execution was resumed without a message.
func AskFor(question Question, then func(answer string) []Step) Step {
	return Step{func(e *execution, at time.Time) { e.ask(at, question, then) }}
}

// AwaitConfirmation stops the execution as awaiting_confirmation until its status is set to running. A user
// message alone confirms nothing.
func AwaitConfirmation(reason string) Step {
	return Step{func(e *execution, at time.Time) {
		e.setStatus(at, api.ExecutionStatusAwaitingConfirmation, func(p *api.StatusChangedPayload) {
			p.AwaitingConfirmationPayload = &api.ReasonDetail{Reason: reason}
		})
	}}
}

// WriteFile writes a file to one of the directories downloads, workspace, shared and debug. Files in shared
// outlive the execution as the agent's shared files.
func WriteFile(directory, name, contentType string, content []byte) Step {
	return Step{func(e *execution, at time.Time) {
		e.writeFile(at, directory, name, contentType, e.service.spool.bytes(content))
	}}
}

// CopyFile writes a file that the execution was given, whatever its size, under a name of its own.
func CopyFile(directory, name string, file File) Step {
	return Step{func(e *execution, at time.Time) {
		if file.blob == nil {
			e.scriptError(at, "CopyFile needs a File from the Run")
			return
		}
		e.writeFile(at, directory, name, file.ContentType, file.blob)
	}}
}

// Complete ends the execution as completed. The result is any value that encoding/json can write.
func Complete(outcome, reasoning string, result any) Step {
	return Step{func(e *execution, at time.Time) {
		raw, err := json.Marshal(result)
		if err != nil {
			e.scriptError(at, fmt.Sprintf("the result of Complete is no JSON: %v", err))
			return
		}
		e.complete(at, outcome, reasoning, raw)
	}}
}

// Fail ends the execution as failed.
func Fail(reason string) Step {
	return Step{func(e *execution, at time.Time) { e.fail(at, reason) }}
}

// CancelBy ends the execution as cancelled for one of the service's own reasons: timeout, max_steps,
// script_failed, no_activity, budget_exceeded, no_warm_environment or worker_lost.
func CancelBy(reason string) Step {
	return Step{func(e *execution, at time.Time) {
		if !api.CancelReason(reason).Valid() {
			e.scriptError(at, fmt.Sprintf("CancelBy(%q) is not a reason that the service has", reason))
			return
		}
		e.cancel(at, api.CancelReason(reason))
	}}
}
