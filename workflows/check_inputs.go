package workflows

import (
	"cmp"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/budget"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// checkInputs fails if the agent's version does not take the inputs, and pins the version.
func (r *AgentRun) checkInputs(ctx workflow.Context) error {
	if !r.in.CheckInputs || r.in.Head {
		return nil
	}
	description, err := DescribeAgent(r.withSummary(ctx, "is asked which inputs it takes"), asteroid.DescribeAgentInput{
		Connection: r.in.Connection, AgentID: r.in.AgentID, Version: r.in.Version,
	})
	if err != nil {
		return err
	}
	if description.Unsupported {
		r.warn("the inputs are not checked: the service does not tell which ones the agent takes")
		return nil
	}
	problems, warnings := description.CheckInputs(r.in.Inputs)
	if len(problems) > 0 {
		return asteroid.NewInvalidInput("inputs", strings.Join(problems, "; "))
	}
	r.state.Warnings = warnings
	r.request.Version = cmp.Or(r.request.Version, &description.Version)
	return nil
}

// checkResultTimeout is short: the result waits for the check.
const checkResultTimeout = 2 * time.Minute

// checkResult tells whether the result fits the schema of the agent's version. Nothing of it makes
// a completed run fail.
func (r *AgentRun) checkResult(ctx workflow.Context) {
	if !r.in.CheckResult {
		return
	}
	ctx = workflow.WithScheduleToCloseTimeout(r.withSummary(ctx, "has its result checked"), checkResultTimeout)
	checked, err := CheckResult(ctx, asteroid.CheckResultInput{Connection: r.in.Connection, ExecutionID: r.executed.ExecutionID})
	switch {
	case err != nil:
		r.warn("the result is not checked: " + err.Error())
	case checked.Unchecked != "":
		r.warn("the result is not checked: " + checked.Unchecked)
	default:
		r.state.ResultMismatch = checked.Mismatches
	}
}

func (r *AgentRun) warn(warning string) {
	r.state.Warnings = append(r.state.Warnings, text.Line(warning, budget.Description))
}
