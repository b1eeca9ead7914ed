package workflows

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/budget"
)

// taskInputs counts the bytes of the inputs that one workflow task schedules. All commands of a
// task are one message to the server. The server terminates a workflow whose message is too large,
// and no bound on a single input prevents that.
type taskInputs struct {
	historyLength int // identifies the task, together with now
	now           time.Time
	used          int
	pause         workflow.Future // the timer that leads to the next task, if one was started
}

// admit returns at once while the task has room for an input of this size. Otherwise it lets the
// task end and waits for the next one, by a short timer that all waiting callers share.
func (t *taskInputs) admit(ctx workflow.Context, size int) {
	for {
		if length, now := workflow.GetInfo(ctx).GetCurrentHistoryLength(), workflow.Now(ctx); length != t.historyLength || !now.Equal(t.now) {
			t.historyLength, t.now, t.used = length, now, 0
		}
		if t.used == 0 || t.used+size <= budget.TaskInputs { // one too large for any task goes alone
			t.used += size
			return
		}
		t.awaitNextTask(ctx)
	}
}

func (t *taskInputs) awaitNextTask(ctx workflow.Context) {
	ctx, done := workflow.NewDisconnectedContext(ctx) // a cancelled caller waits too, for a moment
	defer done()
	if t.pause == nil {
		t.pause = workflow.NewTimerWithOptions(ctx, time.Millisecond, workflow.TimerOptions{Summary: "Send the inputs in several tasks"})
	}
	pause := t.pause
	_ = pause.Get(ctx, nil) // nothing cancels the timer
	if t.pause == pause {
		t.pause, t.used = nil, 0
	}
}

// inputsInterceptor spreads large inputs over several workflow tasks.
type inputsInterceptor struct {
	interceptor.WorkflowOutboundInterceptorBase
	inputs *taskInputs
}

func (o *inputsInterceptor) ExecuteActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	size, err := inputSize(args)
	if refusal := refuseInput(ctx, name, size, err); refusal != nil {
		return refusal
	}
	o.inputs.admit(ctx, size)
	return o.Next.ExecuteActivity(ctx, name, args...)
}

// refuseInput returns a future that fails with asteroid.InvalidInput for an input of this module's
// activities and workflows that cannot be encoded, or that is too large for the server, else nil.
// Without it the workflow task would fail again and again.
func refuseInput(ctx workflow.Context, name string, size int, err error) workflow.Future {
	rule := ""
	switch {
	case !strings.HasPrefix(name, "asteroid."):
	case err != nil:
		rule = fmt.Sprintf("%s cannot be encoded as JSON: %v", name, err)
	case size > budget.ActivityInput:
		rule = fmt.Sprintf("%s has %d bytes, more than %d: pass large content as a file by reference", name, size, budget.ActivityInput)
	}
	if rule == "" {
		return nil
	}
	future, settable := workflow.NewFuture(ctx)
	settable.SetError(asteroid.NewInvalidInput("input", rule))
	return future
}

// refusedChild is the future of a child workflow whose input was refused.
type refusedChild struct{ workflow.Future }

func (c refusedChild) GetChildWorkflowExecution() workflow.Future { return c.Future }

func (c refusedChild) SignalChildWorkflow(workflow.Context, string, any) workflow.Future {
	return c.Future
}

func (o *inputsInterceptor) ExecuteChildWorkflow(ctx workflow.Context, name string, args ...any) workflow.ChildWorkflowFuture {
	size, err := inputSize(args)
	if refusal := refuseInput(ctx, name, size, err); refusal != nil {
		return refusedChild{refusal}
	}
	o.inputs.admit(ctx, size)
	return o.Next.ExecuteChildWorkflow(ctx, name, args...)
}

func (o *inputsInterceptor) SignalExternalWorkflow(ctx workflow.Context, workflowID, runID, name string, arg any) workflow.Future {
	size, _ := inputSize([]any{arg})
	o.inputs.admit(ctx, size)
	return o.Next.SignalExternalWorkflow(ctx, workflowID, runID, name, arg)
}

// inputSize returns the size of an input in JSON, or of bytes as they are. It returns an error if
// the input cannot be encoded or is nested too deeply to be decoded. The worker's data converter
// may encode the input differently, but not to a size that matters. inputSize is deterministic.
//
//workflowcheck:ignore
func inputSize(args []any) (size int, err error) {
	for _, arg := range args {
		raw, ok := arg.([]byte)
		if !ok {
			encoded, failure := json.Marshal(arg)
			if _, checked := arg.(json.Marshaler); !checked && failure == nil && !json.Valid(encoded) {
				failure = errors.New("it is nested too deeply")
			}
			raw, err = encoded, cmp.Or(err, failure)
		}
		size += len(raw)
	}
	return size, err
}
