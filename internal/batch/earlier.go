package batch

import (
	"context"
	"errors"
	"io"

	"github.com/temporal-asteroid/asteroid/internal/files"
)

// earlier reads the results of carried rows from the ledger, in which they may stand in another
// order. It reads ahead in the plan which ones are needed next, and collects as many of these in
// one reading of the ledger as fit into memory.
type earlier struct {
	ctx   context.Context //nolint:containedctx // of the reader's whole life
	b     *Batch
	plan  *plan
	ahead *lines[carriedRow]
	held  map[int]*Outcome // by ordinal

	ledger *lines[ledgerEntry]
	at     int // ordinal of the ledger's next entry
}

// carriedRow is the part of a planned row that earlier needs.
type carriedRow struct {
	Carried *carried `json:"carried"`
}

const (
	heldRows  = 8192
	heldBytes = 32 << 20
)

func newEarlier(ctx context.Context, b *Batch, p *plan) *earlier {
	return &earlier{ctx: ctx, b: b, plan: p, ahead: newLines[carriedRow](ctx, b, b.rowsURIs(p)...)}
}

func (e *earlier) close() {
	e.ahead.close()
	if e.ledger != nil {
		e.ledger.close()
	}
}

// of returns the result at this place of the ledger. It is called with the places of the plan's
// carried rows, in their order.
func (e *earlier) of(ordinal int) (*Outcome, error) {
	if _, ok := e.held[ordinal]; !ok {
		if err := e.collect(); err != nil {
			return nil, err
		}
	}
	found, ok := e.held[ordinal]
	if !ok || found == nil {
		return nil, files.Invalid("%s has changed since the batch was planned", files.RedactURL(e.b.ledgerURI()))
	}
	delete(e.held, ordinal)
	return found, nil
}

// collect reads the results that are needed next.
func (e *earlier) collect() error {
	e.held = map[int]*Outcome{}
	first, bytes := -1, int64(0)
	for len(e.held) < heldRows && bytes < heldBytes {
		row, err := e.ahead.next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		if row.Carried == nil {
			continue
		}
		e.held[row.Carried.Ordinal] = nil
		bytes += row.Carried.Bytes
		if first < 0 || row.Carried.Ordinal < first {
			first = row.Carried.Ordinal
		}
	}
	if e.ledger == nil || first < e.at {
		if err := e.openLedger(); err != nil {
			return err
		}
	}
	for missing := len(e.held); missing > 0; e.at++ {
		entry, err := e.ledger.next()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if _, wanted := e.held[e.at]; wanted {
			e.held[e.at] = entry.Outcome
			missing--
		}
	}
	return nil
}

func (e *earlier) openLedger() error {
	if e.ledger != nil {
		e.ledger.close()
	}
	header, entries, err := e.b.openLedger(e.ctx)
	switch {
	case err != nil:
		return err
	case header == nil || header.Mark != e.plan.Ledger:
		return files.Invalid("%s has changed since the batch was planned", files.RedactURL(e.b.ledgerURI()))
	}
	e.ledger, e.at = entries, 0
	return nil
}
