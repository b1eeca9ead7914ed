package activities

import (
	"context"

	"go.temporal.io/sdk/activity"

	"github.com/temporal-asteroid/asteroid"
)

// JoinBatchParts writes the results of a batch into one file, in the order of the rows, and the
// ledger beside it. Then it removes the parts, if the store can. Each row has exactly one line,
// with the result of its newest attempt. The file appears whole, and replaces that of an earlier
// run of the batch. Called again, it returns the same. [asteroid.BatchResults] lists the columns.
//
// Errors: those of ReadBatchRows.
func (a *Activities) JoinBatchParts(ctx context.Context, in asteroid.JoinBatchPartsInput) (*asteroid.JoinBatchPartsResult, error) {
	if _, err := a.checkInput(in.Connection, in.Validate); err != nil {
		return nil, err
	}
	b, err := a.batchFiles(ctx, in.BatchPlan)
	if err != nil {
		return nil, err
	}
	done, stop := countRows(ctx)
	defer stop()
	result, err := b.Join(ctx, in.Passes, func() { done.Add(1) })
	if err != nil {
		return nil, batchError(ctx, err)
	}
	activity.GetLogger(ctx).Info("Batch joined", "batchKey", in.BatchKey, "results", result.Results.URI, "rows", done.Load())
	return result, nil
}
