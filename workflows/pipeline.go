package workflows

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/bound"
	"github.com/temporal-asteroid/asteroid/internal/budget"
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
	// ResultInput names the input for the result of the step before; empty for none. A result of
	// more than 64 KiB is passed as a file, and the input holds the file's name; see
	// [RunAgentInput.AddResult].
	ResultInput string `json:"resultInput,omitempty"`
	// TakeFiles adds the files that the step before collected to this step's files.
	TakeFiles bool `json:"takeFiles,omitempty"`
}

// PipelineResult has a result for each step. Where the steps together are too large for a
// workflow's result (1.8 MiB), the results of the earliest are left out, with a reference in
// [asteroid.Execution.ResultOmitted]. If that does not suffice, the earliest steps lose their lists
// of files and their texts too.
type PipelineResult struct {
	Steps []RunAgentResult `json:"steps"`
}

// Pipeline is the workflow asteroid.Pipeline: it runs agents one after the other and passes the
// execution id, the result and the files of each to the next. It fails with the first error; see
// [RunAgent].
func Pipeline(ctx workflow.Context, in PipelineInput) (*PipelineResult, error) {
	agents := agentsOf(ctx)
	if agents.workflowWide { // else each RunAgent registers its own
		agents.register(ctx)
	}
	if len(in.Steps) == 0 {
		return nil, agents.refuse(ctx, RunAgentInput{}, asteroid.NewInvalidInput("steps", "name at least one agent"))
	}
	for i, step := range in.Steps {
		err := step.validate(i)
		if err == nil && step.TakeFiles && in.Steps[i-1].Collect == nil {
			err = asteroid.NewInvalidInput(fmt.Sprintf("steps[%d].takeFiles", i), "needs the step before to collect files")
		}
		if err != nil {
			return nil, agents.refuse(ctx, step.RunAgentInput, err)
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
	fitResults(result.Steps)
	return result, nil
}

// fitResults reduces results so that a workflow can return them, the earliest first.
func fitResults(results []RunAgentResult) {
	bound.Fit(results, budget.WorkflowResult,
		func(r *RunAgentResult) { bound.OmitResult(&r.Execution) },
		func(r *RunAgentResult) { r.Files = nil },
		func(r *RunAgentResult) { r.Warnings, r.ResultMismatch = nil, nil },
		func(r *RunAgentResult) { r.Outputs = nil },
		func(r *RunAgentResult) {
			r.Execution = asteroid.Execution{
				ExecutionID: r.ExecutionID, AgentID: r.AgentID, Status: r.Status, CreatedAt: r.CreatedAt, ResultOmitted: r.ResultOmitted,
			}
		},
	)
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
	if s.ResultInput != "" && len(s.Files) >= asteroid.MaxFiles {
		return asteroid.NewInvalidInput(field+".files", fmt.Sprintf("are %d: leave room for the result of the step before", len(s.Files)))
	}
	complete := *s
	complete.addPrevious(largestPrevious)
	return invalidBelow(field, complete.RunAgentInput.validate())
}

// largestPrevious has the largest result that enters the next step's inputs, so that a step without
// room for it is refused before the step ahead of it has run.
var largestPrevious = RunAgentResult{Execution: asteroid.Execution{
	ExecutionID:     strings.Repeat("x", budget.ID),
	ExecutionResult: &asteroid.ExecutionResult{Result: json.RawMessage(`"` + strings.Repeat("x", budget.InputResult-2) + `"`)},
}}

// addPrevious adds what the step takes from the step before to its inputs and files.
func (s *PipelineStep) addPrevious(previous RunAgentResult) {
	inputs := maps.Clone(s.Inputs)
	if inputs == nil {
		inputs = asteroid.Inputs{}
	}
	if s.ExecutionIDInput != "" {
		inputs[s.ExecutionIDInput] = previous.ExecutionID
	}
	s.Inputs = inputs
	if s.ResultInput != "" {
		s.AddResult(s.ResultInput, &previous.Execution)
	}
	if s.TakeFiles {
		s.Files = append(slices.Clone(s.Files), asteroid.References(previous.Outputs)...)
	}
}
