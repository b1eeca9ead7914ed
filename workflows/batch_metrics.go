package workflows

import (
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/metrics"
)

// The outcomes of batches, as a label.
const (
	batchSucceeded  = "succeeded"
	batchIncomplete = "incomplete"
	batchCancelled  = "cancelled"
	batchError      = "error"
)

// announceBatches announces what may become of a batch.
func announceBatches(ctx workflow.Context) {
	for _, outcome := range []string{batchSucceeded, batchIncomplete, batchCancelled, batchError} {
		metrics.Batches.Announce(workflow.GetMetricsHandler(ctx), outcome)
	}
}

// measure counts a batch that has ended, with its counts or its error.
func (b *batch) measure(ctx workflow.Context, counts asteroid.RowCounts, err error) {
	outcome := batchSucceeded
	switch {
	case b.Cancelled || temporal.IsCanceledError(err):
		outcome = batchCancelled
	case err != nil:
		outcome = batchError
	case counts.Failed+counts.NotRun+counts.Cancelled > 0:
		outcome = batchIncomplete
	}
	metrics.Batches.Count(workflow.GetMetricsHandler(ctx), outcome)
}

// announceRows announces what may become of the rows of a segment.
func announceRows(ctx workflow.Context) {
	for _, status := range []asteroid.RowStatus{asteroid.RowSucceeded, asteroid.RowFailed, asteroid.RowCancelled} {
		for _, attempt := range []int{1, 2} {
			metrics.BatchRows.Announce(workflow.GetMetricsHandler(ctx), string(status), attemptLabel(attempt))
		}
	}
}

// measureRow counts a row that has ended.
func measureRow(ctx workflow.Context, result asteroid.RowResult) {
	metrics.BatchRows.Count(workflow.GetMetricsHandler(ctx), string(result.Status), attemptLabel(result.Attempt))
}

func attemptLabel(attempt int) string {
	if attempt > 1 {
		return "again"
	}
	return "first"
}
