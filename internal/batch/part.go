package batch

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"

	"github.com/temporal-asteroid/asteroid"
)

// WritePart adds results to those of a segment, or replaces them. complete reads from the service
// what a result lacks. It is not called for a result that was written before.
func (b *Batch) WritePart(ctx context.Context, pass, segment int, results []asteroid.RowResult, complete func(*Outcome) error) error {
	p, err := b.readPlan(ctx)
	switch {
	case err != nil:
		return err
	case p == nil || len(p.Passes) < pass || p.Passes[pass-1].Result.Segments < segment:
		return b.noPlan()
	}
	results = slices.Clone(results)
	slices.SortStableFunc(results, func(x, y asteroid.RowResult) int { return cmp.Compare(x.Number, y.Number) })
	before := &outcomes{lines: newLines[Outcome](ctx, b, b.outcomesURI(pass, segment))}
	defer before.close()
	out := b.create(ctx, b.outcomesURI(pass, segment), linesContentType)
	if err := merge(out, before, results, complete); err != nil {
		return out.abort(err)
	}
	return out.Close()
}

// merge writes the results of before and of results in order. Of a row in both, it writes the new
// one; of a row twice in results, the last one.
func merge(out io.Writer, before *outcomes, results []asteroid.RowResult, complete func(*Outcome) error) error {
	old, err := nextOutcome(before)
	for i := 0; err == nil && (old != nil || i < len(results)); {
		switch {
		case i+1 < len(results) && results[i].Number == results[i+1].Number:
			i++
		case i == len(results) || old != nil && old.Number < results[i].Number:
			err = encodeLine(out, old)
			if err == nil {
				old, err = nextOutcome(before)
			}
		default:
			outcome := &Outcome{RowResult: results[i]}
			if old != nil && old.Number == outcome.Number {
				if sameRun(old, outcome) {
					outcome.Whole, outcome.Fields, outcome.FieldsOmitted, outcome.Error = old.Whole, old.Fields, old.FieldsOmitted, old.Error
				} else {
					err = complete(outcome)
				}
			} else {
				err = complete(outcome)
			}
			if err == nil {
				err = encodeLine(out, outcome)
			}
			if err == nil && old != nil && old.Number == outcome.Number {
				old, err = nextOutcome(before)
			}
			i++
		}
	}
	return err
}

// sameRun reports whether a result was written before, with all that it needs.
func sameRun(old, outcome *Outcome) bool {
	return outcome.ExecutionID != "" && old.ExecutionID == outcome.ExecutionID && old.Attempt == outcome.Attempt && old.Status == outcome.Status &&
		old.ExecutionStatus == outcome.ExecutionStatus // else it has ended meanwhile
}

// nextOutcome returns the next result, or nil after the last one.
func nextOutcome(o *outcomes) (*Outcome, error) {
	next, err := o.next()
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	return next, err
}
