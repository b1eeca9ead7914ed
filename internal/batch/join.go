package batch

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/files"
	"github.com/temporal-asteroid/asteroid/internal/rows"
)

// The batch's own columns of a results file, before and after the fields of the agent's result.
var (
	columnsBefore = []string{"rowNumber", "rowKey", "attempt", "status", "executionId", "executionStatus", "outcome"}
	columnsAfter  = []string{"errorType", "error", "link", "startedAt", "endedAt", "seconds"}
)

const wholeColumn = "result"

// Join writes the results and the ledger, and removes the parts. It calls visited for each row.
func (b *Batch) Join(ctx context.Context, passes int, visited func()) (*asteroid.JoinBatchPartsResult, error) {
	p, err := b.readPlan(ctx)
	if err != nil {
		return nil, err
	}
	done, err := b.joinedBefore(ctx, p)
	switch {
	case err != nil:
		return nil, err
	case done == nil && p == nil:
		return nil, b.noPlan()
	case done == nil:
		done = &joined{}
		if err := b.settle(ctx, p, passes, done, visited); err != nil {
			return nil, err
		}
	}
	if p != nil {
		if err := b.clean(ctx, p); err != nil {
			return nil, err
		}
	}
	return &asteroid.JoinBatchPartsResult{Results: *done.Results, Counts: done.Counts}, nil
}

// joinedBefore returns what an earlier attempt has joined, or nil. The plan is nil if that attempt
// has removed it.
func (b *Batch) joinedBefore(ctx context.Context, p *plan) (*joined, error) {
	header, entries, err := b.openLedger(ctx)
	if err != nil || header == nil {
		return nil, err
	}
	defer entries.close()
	if header.PlanID != b.PlanID || p != nil && header.Mark != p.Mark {
		return nil, nil
	}
	for {
		entry, err := entries.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil, nil
		case err != nil:
			return nil, err
		case entry.Joined != nil && entry.Joined.Results != nil:
			return entry.Joined, nil
		}
	}
}

// settle writes the ledger anew, with what became of the rows of a plan. It writes the results
// before, unless done is nil.
func (b *Batch) settle(ctx context.Context, p *plan, passes int, done *joined, visited func()) error {
	s := &settling{b: b, keys: map[digest]bool{}, counts: asteroid.RowCounts{}}
	if done != nil {
		if err := s.openResults(ctx, p); err != nil {
			return err
		}
	}
	s.ledger = b.create(ctx, b.ledgerURI(), linesContentType)
	err := encodeLine(s.ledger, ledgerHeader{BatchKey: p.BatchKey, PlanID: p.PlanID, Mark: p.Mark, Fields: p.Fields, Whole: p.Whole})
	if err == nil {
		err = b.eachRow(ctx, p, passes, func(row *PlannedRow, newest *Outcome) error {
			visited()
			s.rows++
			return s.row(row, newest)
		})
	}
	if missing := p.rows() - s.rows; err == nil && done != nil && missing > 0 {
		err = files.Invalid("%s lacks %d of the batch's rows: its files were removed or changed", files.RedactURL(b.part("")), missing)
	}
	if err == nil {
		err = s.others(ctx)
	}
	if err == nil && done != nil {
		err = s.table.Close()
	}
	if err != nil {
		return s.abort(err)
	}
	if done == nil {
		return s.ledger.Close()
	}
	// The ledger says that the results exist, so it appears after them.
	if err := s.results.Close(); err != nil {
		return s.ledger.abort(err)
	}
	done.Counts = s.counts
	done.Results = b.resultsFile(s.results)
	if err := encodeLine(s.ledger, ledgerEntry{Joined: done}); err != nil {
		return s.ledger.abort(err)
	}
	return s.ledger.Close()
}

func (b *Batch) resultsFile(out *output) *asteroid.OutputFile {
	return &asteroid.OutputFile{
		FileRef: asteroid.FileRef{URI: b.Results.Destination, Name: path.Base(b.results.Path), ContentType: b.resultsType()},
		Size:    out.content.BytesRead, SHA256: out.content.SHA256(),
	}
}

// format returns the format of the results.
func (b *Batch) format() asteroid.RowFormat {
	switch ending := strings.ToLower(path.Ext(b.results.Path)); {
	case b.Results.Format != "":
		return b.Results.Format
	case ending == ".jsonl", ending == ".ndjson", ending == ".json": // as it is read
		return asteroid.RowsJSONLines
	default:
		return asteroid.RowsCSV
	}
}

func (b *Batch) resultsType() string {
	if b.format() == asteroid.RowsJSONLines {
		return linesContentType
	}
	return "text/csv"
}

// settling is the state of one settle.
type settling struct {
	b       *Batch
	ledger  *output
	results *output // nil if none are written
	table   *rows.Writer
	names   rows.ResultNames
	keys    map[digest]bool // of the plan
	rows    int
	counts  asteroid.RowCounts
}

func (s *settling) abort(err error) error {
	if s.results != nil {
		err = s.results.abort(err)
	}
	return s.ledger.abort(err)
}

func (s *settling) openResults(ctx context.Context, p *plan) (err error) {
	columns, after := s.b.Results.Columns, columnsAfter
	if columns == nil {
		columns = p.Columns
	}
	before := columnsBefore
	if s.b.Results.WholeResult {
		after = append([]string{wholeColumn}, after...)
	}
	s.names = rows.NewResultNames(columns, before, s.b.Results.Fields, after)
	s.results = s.b.create(ctx, s.b.results, s.b.resultsType())
	if s.table, err = rows.NewWriter(s.results, s.b.format(), s.names.All); err != nil {
		return s.results.abort(err)
	}
	return nil
}

// row writes what became of a row.
func (s *settling) row(row *PlannedRow, newest *Outcome) error {
	outcome := Outcome{RowResult: asteroid.RowResult{Status: asteroid.RowNotRun}}
	if newest != nil {
		outcome = *newest
	}
	if row.Problem != "" {
		outcome.Status, outcome.Error = asteroid.RowSkipped, row.Problem
	}
	outcome.Number, outcome.Key = row.Number, row.Key
	s.count(outcome.Status)
	if row.Problem == "" {
		s.keys[digestOf(row.Key)] = true
		entry := ledgerEntry{Key: row.Key, Digest: row.Digest, Attempt: max(row.Attempt, outcome.Attempt)}
		if outcome.Status != asteroid.RowNotRun {
			entry.Outcome = &outcome
		}
		if err := encodeLine(s.ledger, entry); err != nil {
			return err
		}
	}
	if s.results == nil {
		return nil
	}
	return s.table.Write(s.values(row, &outcome))
}

func (s *settling) count(status asteroid.RowStatus) {
	switch status {
	case asteroid.RowSucceeded:
		s.counts.Succeeded++
	case asteroid.RowFailed:
		s.counts.Failed++
	case asteroid.RowCancelled:
		s.counts.Cancelled++
	case asteroid.RowSkipped:
		s.counts.Skipped++
	default:
		s.counts.NotRun++
	}
}

// others copies what the ledger has of rows that are not in the plan. A later file may have them.
func (s *settling) others(ctx context.Context) error {
	header, entries, err := s.b.openLedger(ctx)
	if err != nil || header == nil {
		return err
	}
	defer entries.close()
	for {
		entry, err := entries.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case entry.Joined == nil && !s.keys[digestOf(entry.Key)]:
			if err := encodeLine(s.ledger, entry); err != nil {
				return err
			}
		}
	}
}

// values returns a row of the results.
func (s *settling) values(row *PlannedRow, o *Outcome) map[string]json.RawMessage {
	values := map[string]json.RawMessage{}
	for column, name := range s.names.Columns {
		values[name] = row.Cells[column]
	}
	for field, name := range s.names.Fields {
		values[name] = o.Fields[field]
	}
	text := func(name, value string) {
		if value != "" {
			values[name] = rows.Quote(value)
		}
	}
	values["rowNumber"] = json.RawMessage(strconv.Itoa(o.Number))
	if o.Attempt > 0 {
		values["attempt"] = json.RawMessage(strconv.Itoa(o.Attempt))
	}
	text("rowKey", o.Key)
	text("status", string(o.Status))
	text("executionId", o.ExecutionID)
	text("executionStatus", string(o.ExecutionStatus))
	text("outcome", o.Outcome)
	text("errorType", o.ErrorType)
	text("error", o.Error)
	text("link", o.URL)
	if !o.StartedAt.IsZero() {
		text("startedAt", o.StartedAt.UTC().Format(time.RFC3339))
	}
	if !o.EndedAt.IsZero() {
		text("endedAt", o.EndedAt.UTC().Format(time.RFC3339))
	}
	if !o.StartedAt.IsZero() && !o.EndedAt.IsZero() {
		values["seconds"] = strconv.AppendFloat(nil, o.EndedAt.Sub(o.StartedAt).Round(time.Millisecond).Seconds(), 'f', -1, 64)
	}
	if s.b.Results.WholeResult {
		values[wholeColumn] = o.Whole
	}
	return values
}

// clean removes the parts of a plan. The plan itself goes last, so that another attempt finds what
// is left.
func (b *Batch) clean(ctx context.Context, p *plan) error {
	for i, pass := range p.Passes {
		for segment := range pass.Files {
			var uris []*url.URL
			uris = append(uris, b.rowsURI(i+1, segment+1))
			if segment < pass.Result.Segments {
				uris = append(uris, b.outcomesURI(i+1, segment+1))
			}
			if err := b.delete(ctx, uris...); err != nil {
				return err
			}
		}
	}
	if err := b.delete(ctx, b.planURI()); err != nil {
		return err
	}
	b.deleteFolders(ctx)
	return nil
}

// deleteFolders removes the folders of the parts where they are empty and the store has folders.
func (b *Batch) deleteFolders(ctx context.Context) {
	if b.results.Scheme == "file" {
		_ = b.delete(ctx, b.part(""))
		_ = b.delete(ctx, b.beside(".parts"))
	}
}
