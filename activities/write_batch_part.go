package activities

import (
	"context"
	"encoding/json"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/batch"
	"github.com/temporal-asteroid/asteroid/internal/budget"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/rows"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// WriteBatchPart writes results of rows next to the results of the batch, from where JoinBatchParts
// takes them. Results of rows that were written before are replaced, the others stay. With
// WholeResult, and for fields that are too large for history, it reads the agents' results from the
// service. A result that the service refuses to give is left out, and the row's error says so.
//
// Errors: those of ReadBatchRows; those of the API, while they are retried.
func (a *Activities) WriteBatchPart(ctx context.Context, in asteroid.WriteBatchPartInput) (*asteroid.WriteBatchPartResult, error) {
	c, err := a.checkInput(in.Connection, in.Validate)
	if err != nil {
		return nil, err
	}
	b, err := a.batchFiles(ctx, in.BatchPlan)
	if err != nil {
		return nil, err
	}
	done, stop := countRows(ctx)
	defer stop()
	err = b.WritePart(ctx, in.Pass, in.Segment, in.Rows, func(outcome *batch.Outcome) error {
		defer done.Add(1)
		return completeOutcome(ctx, c, in.Results, outcome)
	})
	if err != nil {
		return nil, batchError(ctx, err)
	}
	return &asteroid.WriteBatchPartResult{}, nil
}

// completeOutcome reads from the service what a row's result lacks.
func completeOutcome(ctx context.Context, c *client.Client, wanted asteroid.BatchResults, outcome *batch.Outcome) error {
	if outcome.ExecutionID == "" || outcome.ExecutionStatus != asteroid.StatusCompleted || !outcome.FieldsOmitted && !wanted.WholeResult {
		return nil
	}
	result, _, err := readResult(ctx, c, outcome.ExecutionID)
	if err != nil {
		err = activityError(ctx, err)
		if ctx.Err() != nil || isPassing(err) {
			return err
		}
		outcome.Error = text.Line("its result could not be read: "+saidOf(err), budget.Label)
		return nil
	}
	if wanted.WholeResult {
		outcome.Whole = result
	}
	if outcome.FieldsOmitted {
		outcome.Fields, outcome.FieldsOmitted = map[string]json.RawMessage{}, false
		for _, field := range wanted.Fields {
			if value := rows.Field(result, field); value != nil {
				outcome.Fields[field] = value
			}
		}
	}
	return nil
}
