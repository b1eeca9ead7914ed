package activities

import (
	"context"
	"errors"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	sdkclient "go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/parallel"
)

const holderDescribers = 8 // at once

// CheckPermitHolders finds the holders of permits that cannot give them back any more: a workflow
// that was terminated or timed out, and a run that a reset has replaced. The workflow
// asteroid.Limiter runs it every 15 seconds while somebody waits. A holder that cannot be described
// now counts as alive.
func (a *Activities) CheckPermitHolders(ctx context.Context, in asteroid.CheckPermitHoldersInput) (*asteroid.CheckPermitHoldersResult, error) {
	if err := in.Validate(); err != nil {
		return nil, err
	}
	result := &asteroid.CheckPermitHoldersResult{}
	service := a.service(ctx)
	if service == nil {
		return result, nil
	}
	states := make([]holderState, len(in.Holders))
	err := parallel.Each(ctx, holderDescribers, len(in.Holders), func(ctx context.Context, i int) error {
		states[i] = stateOfHolder(ctx, service, in.Holders[i])
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i, state := range states {
		switch token := in.Holders[i].Token; state {
		case holderGone:
			result.Gone = append(result.Gone, token)
		case holderReplaced:
			result.Replaced = append(result.Replaced, token)
		case holderReplacedBusy:
			result.ReplacedBusy = append(result.ReplacedBusy, token)
		}
	}
	return result, nil
}

type holderState int

const (
	holderAlive holderState = iota
	holderGone
	holderReplaced
	holderReplacedBusy
)

// stateOfHolder compares the latest run of the holder's workflow with the run that has the permit.
func stateOfHolder(ctx context.Context, service sdkclient.Client, holder asteroid.PermitRequest) holderState {
	ctx, cancel := context.WithTimeout(ctx, describeTimeout)
	defer cancel()
	described, err := service.DescribeWorkflowExecution(ctx, holder.WorkflowID, "")
	if _, missing := errors.AsType[*serviceerror.NotFound](err); missing {
		return holderGone
	}
	info := described.GetWorkflowExecutionInfo()
	switch {
	case err != nil:
		return holderAlive
	case info.GetStatus() != enums.WORKFLOW_EXECUTION_STATUS_RUNNING || info.GetFirstRunId() != holder.FirstRunID:
		return holderGone
	case info.GetExecution().GetRunId() == holder.RunID:
		return holderAlive
	case described.GetPendingWorkflowTask() != nil:
		return holderReplacedBusy
	default:
		return holderReplaced
	}
}
