package activities

import (
	"context"
	"time"

	enums "go.temporal.io/api/enums/v1"
	workflowservice "go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"

	"github.com/temporal-asteroid/asteroid/internal/client"
)

// promptStart is the longest that a first attempt takes to begin if nobody has reset the activity.
// An operator takes longer to do so.
const promptStart = 100 * time.Millisecond

const (
	// describeTimeout bounds a question to the Temporal server.
	describeTimeout = 5 * time.Second
	// supersededTimeout bounds the search for executions of replaced runs.
	supersededTimeout = 15 * time.Second
)

// inheritResets takes into account what this activity or an equal one may have requested before an
// operator reset the workflow, its parent, or the activity. A reset hides such requests: attempts
// start again at 1, without heartbeat details.
func (e *executeAttempt) inheritResets(ctx context.Context) {
	if ended, dispatched := e.earlierDispatch(ctx); dispatched {
		e.suspect(ended)
	}
	if !e.info.IsWorkflowActivity() {
		return
	}
	own, internal := e.info.WorkflowExecution, e.in.Internal
	switch {
	case e.wasReset():
		e.inheritReset(ctx, own.ID, own.RunID, true)
	case internal.OriginalRunID == "" && e.in.IdempotencyKey != "" && e.server:
		// The caller did not pass its original run id, so only the server knows of a reset.
		e.inheritReset(ctx, own.ID, own.RunID, false)
	}
	if e.resetCreatedParent() {
		e.inheritReset(ctx, internal.Intent.WorkflowID, internal.Intent.RunID, true)
	}
}

// wasReset reports whether a reset of the workflow created the run of this activity.
func (e *executeAttempt) wasReset() bool {
	original := e.in.Internal.OriginalRunID
	return original != "" && original != e.info.WorkflowExecution.RunID
}

// resetCreatedParent reports whether the intent comes from a parent workflow whose run was created
// by a reset. A child of the parent's earlier run may have made a request.
func (e *executeAttempt) resetCreatedParent() bool {
	return e.ofParent() && e.in.Internal.Intent.RunID != e.in.Internal.Intent.OriginalRunID
}

// ofParent reports whether the intent comes from a parent workflow.
func (e *executeAttempt) ofParent() bool {
	parent := e.in.Internal.Intent.WorkflowID
	return parent != "" && parent != e.info.WorkflowExecution.ID
}

// parentWasReset reports whether the intent comes from a parent workflow that was reset, before or
// after it started this child. The children of both runs then share the intent, and both may be
// running. If the server does not tell, they may.
func (e *executeAttempt) parentWasReset(ctx context.Context) bool {
	if !e.ofParent() || e.resetCreatedParent() {
		return e.ofParent()
	}
	if !e.server {
		return false
	}
	parent := e.in.Internal.Intent
	described, err := e.describe(ctx, parent.WorkflowID, parent.RunID)
	return err != nil || described.GetWorkflowExtendedInfo().GetResetRunId() != ""
}

// suspect makes this attempt look for an execution of an earlier request, which ended no later than
// the given time. Zero means long ago.
func (e *executeAttempt) suspect(ended time.Time) {
	if e.UnknownOutcomes == 0 {
		e.UnknownOutcomes, e.suspected = 1, true
	}
	if ended.After(e.LastUnknown) {
		e.LastUnknown = ended
	}
}

// inheritReset takes into account a request that was under way when a reset created the given run.
// certain means that the run was created by a reset, else the server tells.
func (e *executeAttempt) inheritReset(ctx context.Context, workflowID, runID string, certain bool) {
	described, err := e.describe(ctx, workflowID, runID)
	if err != nil {
		e.suspect(e.clock())
		return
	}
	if certain || described.GetWorkflowExtendedInfo().GetLastResetTime() != nil {
		if reset := timeOfReset(described); !reset.IsZero() {
			e.suspect(reset.Add(e.timeout))
		}
	}
}

// earlierDispatch reports whether this attempt may be the first only because somebody reset the
// activity or its workflow, and when the attempt before it ended; zero means long ago. A reset
// keeps the activity's first scheduled time, which the attempt sees. The server's record of the
// pending activity has the new scheduled time, and when its last attempt completed. An attempt that
// begins at once is the first one.
func (a *Activities) earlierDispatch(ctx context.Context) (ended time.Time, dispatched bool) {
	info := activity.GetInfo(ctx)
	if info.Attempt > 1 || info.StartedTime.Sub(info.ScheduledTime) <= promptStart {
		return time.Time{}, false
	}
	if !info.IsWorkflowActivity() || a.service(ctx) == nil {
		return time.Time{}, true // nobody says whether it was reset
	}
	described, err := a.describe(ctx, info.WorkflowExecution.ID, info.WorkflowExecution.RunID)
	if err != nil {
		return info.StartedTime, true
	}
	if reset := described.GetWorkflowExtendedInfo().GetLastResetTime(); reset != nil && reset.AsTime().After(info.ScheduledTime) {
		return reset.AsTime().Add(a.timeout), true // the earlier attempt may still be under way
	}
	for _, pending := range described.GetPendingActivities() {
		scheduled, completed := pending.GetScheduledTime().AsTime(), pending.GetLastAttemptCompleteTime()
		switch {
		case pending.GetActivityId() != info.ActivityID:
			continue
		case completed != nil:
			return completed.AsTime(), true
		case scheduled.After(info.ScheduledTime.Add(time.Millisecond)):
			return scheduled.Add(a.timeout), true
		}
	}
	return time.Time{}, false
}

// resetTime returns when a reset created the run of this activity, or the first run of its chain
// shortly before. Zero means that nothing of a replaced run can be listed late.
func (e *executeAttempt) resetTime(ctx context.Context) time.Time {
	own := e.info.WorkflowExecution
	if e.wasReset() {
		described, err := e.describe(ctx, own.ID, own.RunID)
		if reset := timeOfReset(described); err == nil && !reset.IsZero() {
			return reset
		}
		return e.clock()
	}
	first := e.in.Internal.FirstRunID
	if first == "" || first == own.RunID || !e.server {
		return time.Time{}
	}
	described, err := e.describe(ctx, own.ID, first)
	replacement := described.GetWorkflowExtendedInfo().GetResetRunId()
	if err != nil || replacement == "" {
		return time.Time{}
	}
	described, err = e.describe(ctx, own.ID, replacement)
	reset := timeOfReset(described)
	if err != nil || e.clock().Sub(reset) > e.replacedGrace() { // Superseded names what was left
		return time.Time{}
	}
	return reset
}

// timeOfReset returns when a run that a reset has created began.
func timeOfReset(described *workflowservice.DescribeWorkflowExecutionResponse) time.Time {
	if reset := described.GetWorkflowExtendedInfo().GetLastResetTime(); reset != nil {
		return reset.AsTime()
	}
	// Of a server that does not tell it.
	if started := described.GetWorkflowExecutionInfo().GetStartTime(); started != nil {
		return started.AsTime()
	}
	return time.Time{}
}

// supersededExecutions returns the executions at work that a run of this workflow started before a
// reset replaced it, and that this run does not adopt: the request has changed, or they belong to a
// run that followed as a continuation. key and executionID are those of this execute.
func (e *executeAttempt) supersededExecutions(ctx context.Context, key, executionID string) []string {
	first := e.in.Internal.FirstRunID
	if first == "" || first == e.info.WorkflowExecution.RunID || !e.server {
		return nil // the first run of its chain
	}
	ctx, cancel := context.WithTimeout(ctx, supersededTimeout) // the agent runs: do not hold back its id
	defer cancel()
	superseded, err := e.executionsOfReplacedRuns(ctx, e.c, first, func(found client.Candidate) bool {
		return found.ID != executionID && numberPattern.ReplaceAllString(found.Key, "") != key
	})
	if err != nil {
		activity.GetLogger(ctx).Warn("Executions of replaced workflow runs could not be looked up", "error", err)
	}
	return superseded
}

// executionsOfReplacedRuns returns the executions at work that runs of this workflow started before
// a reset replaced them, if counts says yes. With an error it returns what it has found.
func (a *Activities) executionsOfReplacedRuns(
	ctx context.Context, c *client.Client, firstRunID string, counts func(client.Candidate) bool,
) (ids []string, err error) {
	own := activity.GetInfo(ctx).WorkflowExecution
	active, err := c.ActiveOfChain(ctx, firstRunID)
	replaced := map[string]bool{own.RunID: false} // by run id
	for _, found := range active {
		if found.Origin.WorkflowID != own.ID || !counts(found) {
			continue
		}
		isReplaced, known := replaced[found.RunID]
		if !known {
			isReplaced = a.wasReplaced(ctx, found)
			replaced[found.RunID] = isReplaced
		}
		if isReplaced {
			ids = append(ids, found.ID)
		}
	}
	return ids, err
}

// wasReplaced reports whether a reset replaced the workflow run that started an execution, or
// terminated it because an earlier run of the chain was reset. An error counts as no.
func (a *Activities) wasReplaced(ctx context.Context, found client.Candidate) bool {
	described, err := a.describe(ctx, found.Origin.WorkflowID, found.RunID)
	return err == nil && (described.GetWorkflowExtendedInfo().GetResetRunId() != "" ||
		described.GetWorkflowExecutionInfo().GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_TERMINATED)
}

func (a *Activities) describe(ctx context.Context, workflowID, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	service := a.service(ctx)
	if service == nil {
		return nil, errNoService
	}
	ctx, cancel := context.WithTimeout(ctx, describeTimeout)
	defer cancel()
	described, err := service.DescribeWorkflowExecution(ctx, workflowID, runID)
	if err != nil {
		activity.GetLogger(ctx).Warn("A workflow could not be described, so it is unknown whether a reset replaced its run",
			"workflowId", workflowID, "runId", runID, "error", err)
	}
	return described, err
}
