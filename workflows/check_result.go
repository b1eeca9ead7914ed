package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
)

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
