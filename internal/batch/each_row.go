package batch

import (
	"context"
	"errors"
	"io"
	"net/url"

	"github.com/temporal-asteroid/asteroid"
)

// readPlan returns the plan, or nil if there is none.
func (b *Batch) readPlan(ctx context.Context) (*plan, error) {
	read := &plan{}
	found, err := b.readJSON(ctx, b.planURI(), read)
	if err != nil || !found {
		return nil, err
	}
	return read, nil
}

// eachRow calls visit for every row of the source, in order, with the newest result of the passes:
// nil if the row has none. Those of carried rows are read from the ledger.
func (b *Batch) eachRow(ctx context.Context, p *plan, passes int, visit func(*PlannedRow, *Outcome) error) error {
	rows := newLines[PlannedRow](ctx, b, b.rowsURIs(p)...)
	defer rows.close()
	results := make([]*outcomes, min(passes, len(p.Passes)))
	for i := range results {
		var uris []*url.URL
		for segment := range p.Passes[i].Result.Segments {
			uris = append(uris, b.outcomesURI(i+1, segment+1))
		}
		results[i] = &outcomes{lines: newLines[Outcome](ctx, b, uris...)}
		defer results[i].close()
	}
	earlier := newEarlier(ctx, b, p)
	defer earlier.close()
	for {
		row, err := rows.next()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		newest, err := newestOf(row, results, earlier)
		if err != nil {
			return err
		}
		if err := visit(row, newest); err != nil {
			return err
		}
	}
}

// rowsURIs returns the files with all rows of the source.
func (b *Batch) rowsURIs(p *plan) []*url.URL {
	uris := make([]*url.URL, p.Passes[0].Files)
	for i := range uris {
		uris[i] = b.rowsURI(1, i+1)
	}
	return uris
}

// newestOf returns the result of a row in the last pass in which it ran.
func newestOf(row *PlannedRow, results []*outcomes, earlier *earlier) (newest *Outcome, err error) {
	if row.Carried != nil {
		return earlier.of(row.Carried.Ordinal)
	}
	for _, pass := range results {
		found, err := pass.of(row.Number)
		if err != nil {
			return nil, err
		}
		if found != nil && (newest == nil || found.Status != asteroid.RowNotRun) {
			newest = found
		}
	}
	return newest, nil
}
