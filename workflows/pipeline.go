package workflows

import (
	"fmt"
	"maps"
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
)

// PipelineInput lists the agents to run one after the other, at least one.
type PipelineInput struct {
	Steps []PipelineStep `json:"steps"`
}

// PipelineStep is an agent and what it gets from the step before it.
type PipelineStep struct {
	RunAgentInput
	// ExecutionIDInput names the input for the execution id of the step before; empty for none.
	ExecutionIDInput string `json:"executionIdInput,omitempty"`
	// ResultInput names the input for the result of the step before; empty for none.
	ResultInput string `json:"resultInput,omitempty"`
	// TakeFiles adds the files that the step before collected to this step's files.
	TakeFiles bool `json:"takeFiles,omitempty"`
}

// PipelineResult has a result for each step.
type PipelineResult struct {
	Steps []RunAgentResult `json:"steps"`
}

// Pipeline is the workflow asteroid.Pipeline: it runs agents one after the other and passes the
// execution id, the result and the files of each to the next. It fails with the first error; see
// [RunAgent].
func Pipeline(ctx workflow.Context, in PipelineInput) (*PipelineResult, error) {
	if agents := agentsOf(ctx); agents.workflowWide { // else each RunAgent registers its own
		agents.register(ctx)
	}
	if len(in.Steps) == 0 {
		return nil, asteroid.NewInvalidInput("steps", "name at least one agent")
	}
	for i, step := range in.Steps {
		if err := step.validate(i); err != nil {
			return nil, err
		}
		if step.TakeFiles && in.Steps[i-1].Collect == nil {
			return nil, asteroid.NewInvalidInput(fmt.Sprintf("steps[%d].takeFiles", i), "needs the step before to collect files")
		}
	}
	result := &PipelineResult{}
	for i, step := range in.Steps {
		if i > 0 {
			step.addPrevious(result.Steps[i-1])
		}
		run, err := RunAgent(ctx, step.RunAgentInput)
		if err != nil {
			return nil, err
		}
		result.Steps = append(result.Steps, *run)
	}
	return result, nil
}

// validate checks the step as far as is possible before the step ahead of it has run.
func (s *PipelineStep) validate(i int) error {
	field := fmt.Sprintf("steps[%d]", i)
	switch {
	case i == 0 && (s.ExecutionIDInput != "" || s.ResultInput != "" || s.TakeFiles):
		return asteroid.NewInvalidInput(field, "has no step before it to take an execution id, a result or files from")
	case s.ExecutionIDInput != "" && s.ExecutionIDInput == s.ResultInput:
		return asteroid.NewInvalidInput(field+".resultInput", "is the same input as executionIdInput")
	}
	for _, name := range []string{s.ExecutionIDInput, s.ResultInput} {
		if _, taken := s.Inputs[name]; taken {
			return asteroid.NewInvalidInput(field+".inputs", fmt.Sprintf("already has %q, which the step before is to fill", name))
		}
	}
	complete := *s
	complete.addPrevious(RunAgentResult{})
	return invalidBelow(field, complete.RunAgentInput.validate())
}

// addPrevious adds what the step takes from the step before to its inputs and files.
func (s *PipelineStep) addPrevious(previous RunAgentResult) {
	inputs := maps.Clone(s.Inputs)
	if inputs == nil {
		inputs = asteroid.Inputs{}
	}
	if s.ExecutionIDInput != "" {
		inputs[s.ExecutionIDInput] = previous.ExecutionID
	}
	if s.ResultInput != "" {
		inputs[s.ResultInput] = previous.Result()
	}
	s.Inputs = inputs
	if s.TakeFiles {
		s.Files = append(slices.Clone(s.Files), asteroid.References(previous.Outputs)...)
	}
}
