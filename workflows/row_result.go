package workflows

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/bound"
	"github.com/temporal-asteroid/asteroid/internal/budget"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// rowResult returns the result of the row that the workflow runs, after RunAgent has returned.
func rowResult(ctx workflow.Context, row *RowOfBatch, run *RunAgentResult, err error) *asteroid.RowResult {
	var result asteroid.RowResult
	if err == nil {
		result = rowOfRun(row, run)
	} else {
		result = rowFailure(err)
	}
	result.Number, result.Key, result.Attempt = row.Number, row.Key, row.Attempt
	result.Request = row.Request
	result.StartedAt, result.EndedAt = workflow.GetInfo(ctx).WorkflowStartTime, workflow.Now(ctx)
	fitRow(&result)
	return &result
}

// rowOfRun returns the result of a row whose agent has ended.
func rowOfRun(row *RowOfBatch, run *RunAgentResult) asteroid.RowResult {
	result := asteroid.RowResult{
		Status: asteroid.RowSucceeded, ExecutionID: run.ExecutionID, ExecutionStatus: run.Status, URL: run.PlatformURL,
	}
	if run.ExecutionResult != nil {
		result.Outcome = text.Prose(run.ExecutionResult.Outcome, budget.Name)
	}
	switch {
	case run.Status != asteroid.StatusCompleted:
		result.Status, result.ErrorType, result.Error = asteroid.RowFailed, asteroid.ErrorTypeExecutionFailed, "the execution ended as "+string(run.Status)
		if run.Reason != "" {
			result.Error += ": " + run.Reason
		}
	case run.ExecutionResult != nil:
		judgeOutcome(&result, run.ExecutionResult.Outcome, row.Outcomes)
	}
	if len(row.Fields) > 0 {
		result.Fields, result.FieldsOmitted = rowFields(row.Fields, run.Result()), run.ResultOmitted != nil
	}
	return result
}

// judgeOutcome sets the status of a row whose agent has completed with an outcome. failures are the
// outcomes that count as failures.
func judgeOutcome(result *asteroid.RowResult, outcome string, failures []string) {
	result.Status, result.Error = asteroid.RowSucceeded, ""
	if outcome != "" && slices.Contains(failures, outcome) {
		result.Status, result.Error = asteroid.RowFailed, "the outcome "+result.Outcome+" counts as a failure"
	}
}

// rowFailure returns the result of a row whose workflow has failed with the error, or was ended by
// somebody.
func rowFailure(err error) asteroid.RowResult {
	result := asteroid.RowResult{Status: asteroid.RowFailed, ErrorType: asteroid.ErrorTypeOf(err), Error: rowErrorText(err)}
	if temporal.IsCanceledError(err) {
		result.Status = asteroid.RowCancelled
	}
	details, _ := asteroid.DetailsOf(err)
	result.ExecutionID, result.ExecutionStatus = details.ExecutionID, details.Status
	if e := details.Execution; e != nil {
		result.ExecutionStatus, result.URL = e.Status, e.PlatformURL
	}
	return result
}

// rowErrorText returns what people need to know of the error of a row.
func rowErrorText(err error) string {
	if terminated, ok := errors.AsType[*temporal.TerminatedError](err); ok {
		return "the row's workflow was terminated: " + terminated.Error()
	}
	if timeout, ok := errors.AsType[*temporal.TimeoutError](err); ok && asteroid.ErrorTypeOf(err) == "" {
		return "the row's workflow timed out: " + timeout.Error()
	}
	return errorText(err)
}

// errorText returns the message of an asteroid error without those of Temporal around it, which
// name events and workers.
func errorText(err error) string {
	if failure, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return failure.Message()
	}
	return err.Error()
}

// The budgets of a row's result, as the contract of asteroid.RowResult has them.
const (
	rowBudget       = 2 << 10
	rowErrorBudget  = 512
	rowFieldsBudget = 1 << 10
)

// fitRow bounds the result of a row.
func fitRow(result *asteroid.RowResult) {
	result.Error = text.Prose(result.Error, rowErrorBudget)
	if bound.Size(result.Fields) > rowFieldsBudget {
		result.Fields, result.FieldsOmitted = nil, true
	}
	for _, reduce := range []func(){
		func() {
			if len(result.Fields) > 0 {
				result.Fields, result.FieldsOmitted = nil, true
			}
		},
		func() { result.URL = "" },
		func() { result.Error, result.Outcome = text.Clip(result.Error), text.Clip(result.Outcome) },
	} {
		if bound.Size(result) <= rowBudget {
			return
		}
		reduce()
	}
}

// rowFields returns the members of an agent's result by their paths. Those that it does not have
// are left out.
func rowFields(paths []string, result json.RawMessage) map[string]json.RawMessage {
	fields := map[string]json.RawMessage{}
	for _, path := range paths {
		if value := memberAt(result, path); value != nil {
			fields[path] = value
		}
	}
	if len(fields) == 0 {
		return nil
	}
	return fields
}

// memberAt returns the value at a path such as items.0.price. A member whose own name contains dots
// is found by its whole name.
func memberAt(value json.RawMessage, path string) json.RawMessage {
	name, rest, deeper := strings.Cut(path, ".")
	switch trimmed := bytes.TrimLeft(value, " \t\r\n"); {
	case len(trimmed) == 0:
		return nil
	case trimmed[0] == '{':
		var members map[string]json.RawMessage
		if decode(value, &members) != nil {
			return nil
		}
		if member, whole := members[path]; whole {
			return member
		}
		value = members[name]
	case trimmed[0] == '[':
		var items []json.RawMessage
		i, err := strconv.Atoi(name)
		if err != nil || decode(value, &items) != nil || i < 0 || i >= len(items) {
			return nil
		}
		value = items[i]
	default:
		return nil
	}
	if !deeper {
		return value
	}
	return memberAt(value, rest)
}

// errNoInterceptor is the error of a row on a worker without the plugin.
func errNoInterceptor() error {
	return asteroid.NewInvalidInput("internal.row", fmt.Sprintf("needs the interceptor of package workflows: %s must run on a worker with the plugin", RunAgentName))
}
