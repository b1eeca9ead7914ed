package workflows

import (
	"cmp"
	"strings"

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

func (r *AgentRun) warn(warning string) {
	r.state.Warnings = append(r.state.Warnings, text.Line(warning, budget.Description))
}
