package batch

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/files"
)

// openLedger returns the ledger's header and a reader of its entries. The header is nil if there is
// no ledger.
func (b *Batch) openLedger(ctx context.Context) (*ledgerHeader, *lines[ledgerEntry], error) {
	uri := b.ledgerURI()
	raw := newLines[json.RawMessage](ctx, b, uri)
	line, err := raw.next()
	if errors.Is(err, io.EOF) {
		return nil, nil, nil
	} else if err != nil {
		return nil, nil, err
	}
	header := &ledgerHeader{}
	if err := json.Unmarshal(*line, header); err != nil || header.Mark == "" {
		raw.close()
		return nil, nil, files.Invalid("%s is no ledger of a batch", files.RedactURL(uri))
	}
	return header, &lines[ledgerEntry]{b: b, ctx: ctx, uris: raw.uris, file: raw.file, decoder: raw.decoder}, nil
}

// isSettled reports whether the ledger holds what became of the rows of a plan.
func (b *Batch) isSettled(ctx context.Context, p *plan) (bool, error) {
	header, entries, err := b.openLedger(ctx)
	if err != nil || header == nil {
		return false, err
	}
	entries.close()
	return header.Mark == p.Mark, nil
}

// digest identifies a text among all others in little memory.
type digest [16]byte

func digestOf(text string) digest {
	sum := sha256.Sum256([]byte(text))
	return digest(sum[:len(digest{})])
}

// known is what the ledger says of a row.
type known struct {
	ordinal int32
	attempt int32
	bytes   int64
	digest  digest
	status  asteroid.RowStatus // empty: it has no result
	ended   bool               // no agent of the attempt can be at work
}

// readLedger returns what the ledger says, by the digest of the key. Both are nil if there is none.
func (b *Batch) readLedger(ctx context.Context) (*ledgerHeader, map[digest]known, error) {
	header, entries, err := b.openLedger(ctx)
	if err != nil || header == nil {
		return nil, nil, err
	}
	defer entries.close()
	index := map[digest]known{}
	for ordinal := int32(0); ; ordinal++ {
		entry, err := entries.next()
		if errors.Is(err, io.EOF) {
			return header, index, nil
		} else if err != nil {
			return nil, nil, err
		}
		if entry.Joined != nil {
			continue
		}
		found := known{ordinal: ordinal, attempt: int32(entry.Attempt), bytes: entries.size, digest: digestOf(entry.Digest)} //nolint:gosec // at most a million rows
		if entry.Outcome != nil {
			found.status, found.ended = entry.Outcome.Status, entry.Outcome.AgentEnded()
		}
		index[digestOf(entry.Key)] = found
	}
}
