package workflows

import (
	"encoding/json"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
)

// Input is an argument that workflow code takes from clients in any language. It decodes strictly:
// an unknown or mistyped member is an asteroid.InvalidInput of the workflow or update that takes
// it. In JSON it is the Value itself. Only a function that replaces asteroid.RunAgent or
// asteroid.Pipeline in a test needs to name it. T gets no methods, since users embed it.
type Input[T any] struct {
	Value T

	err error
}

// UnmarshalJSON never fails for JSON. Else the server would retry the workflow task without end.
func (in *Input[T]) UnmarshalJSON(data []byte) error {
	in.err = asteroid.DecodeInput(data, &in.Value)
	return nil
}

// MarshalJSON returns the JSON of the Value.
func (in Input[T]) MarshalJSON() ([]byte, error) { return json.Marshal(in.Value) }

// check returns what is wrong with the input. An input of a newer version of the library fails the
// workflow task, which the server retries until a worker of that version takes it.
func (in *Input[T]) check() error {
	if in.err != nil && !asteroid.IsInvalidInput(in.err) {
		panic(in.err)
	}
	return in.err
}

// strict has the workflows that take arguments of people, as they are registered. The SDK knows
// them by the short names of their functions.
type strict struct{}

func (strict) RunAgent(ctx workflow.Context, in Input[RunAgentInput]) (*RunAgentResult, error) {
	agents, row := agentsOf(ctx), in.Value.Internal.Row
	err := in.check()
	if err == nil && row != nil && !agents.workflowWide {
		err = errNoInterceptor()
	}
	var result *RunAgentResult
	if err != nil {
		err = agents.refuse(ctx, in.Value, err)
	} else {
		breathe(ctx, in.Value.Inputs)
		result, err = RunAgent(ctx, in.Value)
	}
	if row != nil {
		agents.awaitTold(ctx)
		agents.row = rowResult(ctx, row, result, err)
	}
	return result, err
}

func (strict) Pipeline(ctx workflow.Context, in Input[PipelineInput]) (*PipelineResult, error) {
	if err := in.check(); err != nil {
		return nil, agentsOf(ctx).refuse(ctx, RunAgentInput{}, err)
	}
	return Pipeline(ctx, in.Value)
}

func (strict) Batch(ctx workflow.Context, in Input[BatchInput]) (*BatchResult, error) {
	return runBatch(ctx, in.Value, in.check())
}

// strictHandler returns the handler of an update whose input was validated.
func strictHandler[In any](handle func(workflow.Context, In) (*SteerResult, error)) func(workflow.Context, Input[In]) (*SteerResult, error) {
	return func(ctx workflow.Context, in Input[In]) (*SteerResult, error) { return handle(ctx, in.Value) }
}

// strictValidator returns the validator of an update.
func strictValidator[In any](validate func(In) error) func(Input[In]) error {
	return func(in Input[In]) error {
		if in.err != nil {
			return in.err
		}
		return validate(in.Value)
	}
}
