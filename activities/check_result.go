package activities

import (
	"context"
	"slices"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/budget"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// maxMismatches bounds how many mismatches are told.
const maxMismatches = 20

// CheckResult compares the result of a completed execution with the schema that its version
// declares for it, by Options.SchemaChecker. A result of any size is checked. What keeps it from
// being checked is in the result, and no error.
//
// Errors: asteroid.InvalidInput, and those of the API.
func (a *Activities) CheckResult(ctx context.Context, in asteroid.CheckResultInput) (*asteroid.CheckResultResult, error) {
	c, err := a.checkInput(in.Connection, in.Validate)
	if err != nil {
		return nil, err
	}
	unchecked := func(why string) (*asteroid.CheckResultResult, error) {
		return &asteroid.CheckResultResult{Unchecked: text.Prose(why, budget.Description)}, nil
	}
	if a.schemaChecker == nil {
		return unchecked("the worker has no Options.SchemaChecker")
	}
	execution, err := c.Execution(ctx, in.ExecutionID)
	if err != nil {
		return nil, a.forgiveEarlyNotFound(ctx, err)
	}
	if len(execution.Result()) == 0 {
		return unchecked("the execution has no result")
	}
	if execution.WorkflowVersion < 1 {
		return unchecked("the service does not tell which version ran")
	}
	description, err := a.describeVersion(ctx, c, execution.AgentID, &execution.WorkflowVersion)
	switch {
	case asteroid.IsInvalidInput(err) || err == nil && description.Unsupported:
		return unchecked("the service does not tell what the version returns")
	case err != nil:
		return nil, err
	}
	node, err := c.OutputNode(ctx, in.ExecutionID)
	if err != nil {
		return nil, activityError(ctx, err)
	}
	outputs := slices.DeleteFunc(slices.Clone(description.Outputs), func(output asteroid.AgentOutput) bool {
		return node != "" && output.Node != node
	})
	switch {
	case description.Incomplete:
		return unchecked("the schemas of the version are too large")
	case len(outputs) > 1:
		return unchecked("the service does not tell which output the result is of")
	case len(outputs) == 0 || len(outputs[0].Schema) == 0:
		return unchecked("the version declares no schema for the result")
	}
	mismatches, err := a.schemaChecker(outputs[0].Schema, execution.Result())
	if err != nil {
		return unchecked("the schema of the result cannot be used: " + err.Error())
	}
	result := &asteroid.CheckResultResult{}
	for _, mismatch := range mismatches[:min(len(mismatches), maxMismatches)] {
		result.Mismatches = append(result.Mismatches, text.Line(mismatch, budget.Label))
	}
	return result, nil
}
