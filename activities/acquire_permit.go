package activities

import (
	"cmp"
	"context"
	"fmt"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	sdkclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/bound"
)

const (
	// permitQueryTimeout bounds the question how many runs go first. The request is made by then.
	permitQueryTimeout = 2 * time.Second
	// limiterFullDelay is the time until the next request to a limiter that is full, times the
	// attempt: thousands may ask.
	limiterFullDelay    = 30 * time.Second
	maxLimiterFullDelay = 10 * time.Minute
)

// AcquirePermit asks the limiter of a key for a permit, and starts the limiter if it does not run.
// The limiter grants the permit by an [asteroid.PermitSignal] to the workflow. A permit that the
// token holds already is granted again, to this run of the workflow.
//
// The first call of a run finds out which limits apply to it: those of its input and those of
// Options.Limits.
//
// Errors: asteroid.InvalidInput for limits that break a rule; asteroid.LimiterFull, retryable,
// while 5,000 other runs wait (fewer with workflow ids of more than 200 bytes), unless most of them
// have another fairness key; asteroid.Unavailable, retryable, if the Temporal server does not
// answer.
func (a *Activities) AcquirePermit(ctx context.Context, in asteroid.AcquirePermitInput) (*asteroid.AcquirePermitResult, error) {
	if _, err := a.checkInput(in.Connection, in.Validate); err != nil {
		return nil, err
	}
	limits := in.Limits
	if !in.Repeated {
		limits = a.limits.Of(in.AgentProfileID, in.Limits)
	}
	result := &asteroid.AcquirePermitResult{Limits: limits}
	service := a.service(ctx)
	if in.Take >= len(limits) || service == nil {
		return result, nil
	}
	info := activity.GetInfo(ctx)
	limit, connection := limits[in.Take], cmp.Or(in.Connection, asteroid.DefaultConnection)
	result.Limiter = asteroid.LimiterWorkflowID(connection, limit.Key)
	request := asteroid.PermitRequest{
		Token: in.Token, WorkflowID: info.WorkflowExecution.ID, RunID: info.WorkflowExecution.RunID, FirstRunID: in.FirstRunID,
		FairnessKey: limit.FairnessKey, Max: cmp.Or(limit.Max, 1), RequestedAt: in.RequestedAt,
	}
	by := &caller{ctx: ctx, service: service, activityQueue: info.TaskQueue}
	startCtx, cancel := context.WithTimeout(ctx, serverTimeout)
	defer cancel()
	_, err := service.SignalWithStartWorkflow(startCtx, result.Limiter, asteroid.AcquirePermitSignal, request, sdkclient.StartWorkflowOptions{
		ID: result.Limiter, TaskQueue: by.workflowQueue(ctx),
		WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		StaticSummary:         "Hands out the permits of " + limit.Key,
	}, asteroid.LimiterWorkflowName, asteroid.LimiterInput{Connection: connection, Key: limit.Key})
	if err != nil {
		return nil, bound.Error(temporal.NewApplicationError(
			fmt.Sprintf("the limiter %s cannot be signalled or started: %v", result.Limiter, err), asteroid.ErrorTypeUnavailable))
	}
	place, ok := placeOf(ctx, service, result.Limiter, in.Token)
	if !ok {
		result.UnservedQueue = a.unservedQueue(ctx, service, result.Limiter)
	} else if a.troubles.end(result.Limiter) {
		activity.GetLogger(ctx).Info("The limiter answers again", "limiter", result.Limiter)
	}
	if ok && !place.Held && !place.Waits {
		delay := min(time.Duration(info.Attempt)*limiterFullDelay, maxLimiterFullDelay)
		return nil, bound.Error(temporal.NewApplicationErrorWithOptions(
			fmt.Sprintf("%d runs wait for a permit of %s, as many as may", place.Before, limit.Key), asteroid.ErrorTypeLimiterFull,
			temporal.ApplicationErrorOptions{Category: temporal.ApplicationErrorCategoryBenign, NextRetryDelay: delay}))
	}
	result.Before, result.LimiterBegan = place.Before, place.Began
	return result, nil
}

// placeOf asks the limiter for the place of a request. It reports false if there is no answer in
// time: the request counts without it.
func placeOf(ctx context.Context, service sdkclient.Client, limiter, token string) (place asteroid.PermitPlace, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, permitQueryTimeout)
	defer cancel()
	answer, err := service.QueryWorkflow(ctx, limiter, "", asteroid.PermitPlaceQuery, token)
	return place, err == nil && answer.Get(&place) == nil
}

// unservedQueue returns the task queue of a limiter that does not answer, if no worker polls it.
// The server knows for five minutes who has polled. The trouble is logged once while it lasts.
func (a *Activities) unservedQueue(ctx context.Context, service sdkclient.Client, limiter string) string {
	ctx, cancel := context.WithTimeout(ctx, serverTimeout)
	defer cancel()
	described, err := service.DescribeWorkflowExecution(ctx, limiter, "")
	if err != nil {
		return ""
	}
	queue := described.GetExecutionConfig().GetTaskQueue().GetName()
	polled, err := service.DescribeTaskQueue(ctx, queue, enums.TASK_QUEUE_TYPE_WORKFLOW)
	if err != nil || len(polled.GetPollers()) > 0 {
		return ""
	}
	if a.troubles.begin(limiter) {
		activity.GetLogger(ctx).Warn("The limiter grants no permits: it lives on a task queue that no worker polls. "+
			"Start a worker there, or see asteroid.Limit for how to move the limiter", "limiter", limiter, "taskQueue", queue)
	}
	return queue
}

// checkLimits fails if the worker limits runs with an agent profile. The error has details, as that
// of checkPermits: without them RunAgent would take the outcome of the execute for unknown.
func (a *Activities) checkLimits(agentProfileID string) error {
	if len(a.limits.Of(agentProfileID, nil)) == 0 {
		return nil
	}
	return temporal.NewNonRetryableApplicationError("the worker limits such runs: acquire the permits first", asteroid.ErrorTypePermitRequired, nil, asteroid.ErrorDetails{})
}

// checkPermits fails if a permit was granted to another run of the workflow than this activity's.
// A reset has replaced that run, which may have given the permit back since.
func (e *executeAttempt) checkPermits() error {
	if e.in.Internal.CheckLimits {
		return e.checkLimits(e.in.AgentProfileID)
	}
	for _, permit := range e.in.Internal.Permits {
		if permit.RunID != e.info.WorkflowExecution.RunID {
			return bound.Error(temporal.NewNonRetryableApplicationError(
				fmt.Sprintf("the permit of %s belongs to the run %s of the workflow, which a reset has replaced", permit.Key, permit.RunID),
				asteroid.ErrorTypePermitLost, nil, asteroid.ErrorDetails{}))
		}
	}
	return nil
}
