package batch

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/files"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

const (
	// MaxRows is the largest number of rows of a batch.
	MaxRows = 1_000_000
	// segmentRows and segmentBytes bound the rows of a segment that run, and their inputs.
	segmentRows  = 300
	segmentBytes = 256 << 10
)

// Planner writes the rows of a pass.
type Planner struct {
	batch   *Batch
	pass    int
	plan    *plan
	ledger  map[digest]known
	written []*url.URL

	out         *output
	rows, bytes int // of the open segment
	files       int
	result      asteroid.PlanBatchResult
}

// Workflow is the workflow that plans a batch.
type Workflow struct{ ID, RunID string }

// Recorded returns the result of a pass that is planned already, or nil.
func (b *Batch) Recorded(ctx context.Context, pass int, by Workflow) (*asteroid.PlanBatchResult, error) {
	p, err := b.readPlan(ctx)
	switch {
	case err != nil:
		return nil, err
	case p == nil && pass > 1:
		return nil, b.noPlan()
	case p == nil || len(p.Passes) < pass:
		return nil, nil
	}
	// The attempt that wrote the plan may have died before it pointed to it.
	return &p.Passes[pass-1].Result, b.point(ctx, by)
}

// noPlan is the error of a plan that does not exist.
func (b *Batch) noPlan() error {
	return files.Invalid("the batch %s has no plan %s at %s: another run of it has taken over, or has ended",
		text.Clip(b.BatchKey), text.Clip(b.PlanID), files.RedactURL(b.results))
}

// point makes this plan the latest one of the batch.
func (b *Batch) point(ctx context.Context, by Workflow) error {
	return b.writeJSON(ctx, b.pointerURI(), pointer{BatchKey: b.BatchKey, PlanID: b.PlanID, WorkflowID: by.ID, RunID: by.RunID})
}

// Owner checks that the results belong to this batch, or to none. It returns the workflow that
// planned the latest plan, if that is another plan that was never joined.
func (b *Batch) Owner(ctx context.Context) (*Workflow, error) {
	latest := pointer{}
	found, err := b.readJSON(ctx, b.pointerURI(), &latest)
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, b.checkVacant(ctx)
	case latest.BatchKey != b.BatchKey:
		return nil, asteroid.NewInvalidInput("results.destination", fmt.Sprintf(
			"holds the results of the batch %s: name another file, or that batch's key", text.Clip(latest.BatchKey)))
	case latest.PlanID == b.PlanID:
		return nil, nil
	}
	p, err := b.of(latest).readPlan(ctx)
	if err != nil || p == nil {
		return nil, err
	}
	if settled, err := b.isSettled(ctx, p); err != nil || settled { // the store kept its parts
		return nil, err
	}
	return &Workflow{latest.WorkflowID, latest.RunID}, nil
}

// checkVacant refuses a place that holds a file which no batch has written.
func (b *Batch) checkVacant(ctx context.Context) error {
	ctx, stop := files.WithStallTimeout(ctx)
	defer stop()
	info, err := b.store.Stat(ctx, b.results)
	switch err := storeError(ctx, b.results, err); {
	case isAbsent(err):
		return nil
	case err != nil:
		return err
	case info.Size == 0: // such as a temporary file
		return nil
	}
	return asteroid.NewInvalidInput("results.destination", "holds a file that no batch has written: name another one, or remove that file")
}

// of returns the files of the latest plan.
func (b *Batch) of(latest pointer) *Batch {
	before := *b
	before.PlanID = latest.PlanID
	return &before
}

// TakeOver brings what an earlier plan has achieved into the ledger, if it was never joined.
func (b *Batch) TakeOver(ctx context.Context) error {
	latest := pointer{}
	if found, err := b.readJSON(ctx, b.pointerURI(), &latest); err != nil || !found || latest.PlanID == b.PlanID {
		return err
	}
	before := b.of(latest)
	p, err := before.readPlan(ctx)
	if err != nil || p == nil {
		return err
	}
	settled, err := b.isSettled(ctx, p)
	if err != nil {
		return err
	}
	if !settled {
		if err := before.settle(ctx, p, len(p.Passes), nil, func() {}); err != nil {
			return err
		}
	}
	return before.clean(ctx, p)
}

// Plan begins to plan pass 1. The ledger tells which rows have run before.
func (b *Batch) Plan(ctx context.Context) (*Planner, error) {
	header, index, err := b.readLedger(ctx)
	if err != nil {
		return nil, err
	}
	p := &Planner{batch: b, pass: 1, ledger: index, plan: &plan{
		BatchKey: b.BatchKey, PlanID: b.PlanID, Mark: rand.Text(), Fields: b.Results.Fields, Whole: b.Results.WholeResult,
	}}
	if header == nil {
		return p, nil
	}
	if header.BatchKey != b.BatchKey {
		return nil, asteroid.NewInvalidInput("results.destination", fmt.Sprintf(
			"has a ledger of the batch %s beside it: name another file, or that batch's key", text.Clip(header.BatchKey)))
	}
	p.plan.Ledger = header.Mark
	lacks := b.Results.WholeResult && !header.Whole
	for _, field := range b.Results.Fields {
		lacks = lacks || !slices.Contains(header.Fields, field)
	}
	if lacks && len(index) > 0 {
		p.Warn("the results of rows that have succeeded before lack fields that were not asked for then")
	}
	return p, nil
}

// PlanRerun plans a later pass, of the rows that failed in the passes before.
func (b *Batch) PlanRerun(ctx context.Context, pass int, size func(*PlannedRow) int) (*asteroid.PlanBatchResult, error) {
	read, err := b.readPlan(ctx)
	switch {
	case err != nil:
		return nil, err
	case read == nil:
		return nil, b.noPlan()
	case len(read.Passes) != pass-1:
		return nil, asteroid.NewInvalidInput("pass", fmt.Sprintf("is %d, and %d passes are planned", pass, len(read.Passes)))
	}
	p := &Planner{batch: b, pass: pass, plan: read}
	p.result.Version = read.Passes[0].Result.Version
	err = b.eachRow(ctx, read, pass-1, func(row *PlannedRow, newest *Outcome) error {
		if !row.runs() || newest == nil || newest.Status != asteroid.RowFailed {
			return nil
		}
		row.Attempt = max(row.Attempt, newest.Attempt)
		if newest.AgentEnded() {
			row.Attempt++
		}
		return p.Run(ctx, row, size(row))
	})
	if err != nil {
		return nil, p.Abort(ctx, err)
	}
	return p.commit(ctx)
}

// Before is what the ledger says of a row.
type Before int

const (
	// BeforeNothing means that the row has not succeeded.
	BeforeNothing Before = iota
	// BeforeSucceeded means that it has, with the same input.
	BeforeSucceeded
	// BeforeChanged means that it has, with another input.
	BeforeChanged
)

// Look compares a row with the ledger and sets its attempt.
func (p *Planner) Look(row *PlannedRow) Before {
	row.Attempt = 1
	found, ok := p.ledger[digestOf(row.Key)]
	if !ok {
		return BeforeNothing
	}
	same := found.digest == digestOf(row.Digest)
	row.Attempt = int(found.attempt)
	switch {
	case found.status == asteroid.RowSucceeded && same:
		row.Carried = &carried{int(found.ordinal), found.bytes}
		return BeforeSucceeded
	case found.status == asteroid.RowSucceeded:
		row.Attempt++
		return BeforeChanged
	case found.ended || !same: // else an agent may be at work, and the key of its attempt adopts it
		row.Attempt++
	}
	row.Attempt = max(row.Attempt, 1)
	return BeforeNothing
}

// Run writes a row that has to run, whose input has so many bytes.
func (p *Planner) Run(ctx context.Context, row *PlannedRow, bytes int) error {
	if p.out != nil && (p.rows == segmentRows || p.rows > 0 && p.bytes+bytes > segmentBytes) {
		if err := p.close(); err != nil {
			return err
		}
	}
	if err := p.write(ctx, row); err != nil {
		return err
	}
	if p.rows == 0 {
		p.result.Segments++
	}
	p.rows, p.bytes = p.rows+1, p.bytes+bytes
	p.result.Rows++
	return nil
}

// Keep writes a row that does not run.
func (p *Planner) Keep(ctx context.Context, row *PlannedRow) error {
	if row.Carried != nil {
		p.result.Succeeded++
	} else {
		p.result.Skipped++
	}
	return p.write(ctx, row)
}

const maxWarnings = 20

// Warn adds a warning to the result.
func (p *Planner) Warn(warning string) {
	const most = 300
	if len(p.result.Warnings) < maxWarnings && !slices.Contains(p.result.Warnings, warning) {
		p.result.Warnings = append(p.result.Warnings, text.Line(warning, most))
	}
}

func (p *Planner) write(ctx context.Context, row *PlannedRow) error {
	if p.out == nil {
		p.files++
		uri := p.batch.rowsURI(p.pass, p.files)
		p.out, p.rows, p.bytes = p.batch.create(ctx, uri, linesContentType), 0, 0
		p.written = append(p.written, uri)
	}
	if err := encodeLine(p.out, row); err != nil {
		return p.fail(err)
	}
	return nil
}

// fail ends the open segment and returns the store's error.
func (p *Planner) fail(err error) error {
	out := p.out
	p.out = nil
	return out.abort(err)
}

func (p *Planner) close() error {
	if p.out == nil {
		return nil
	}
	out := p.out
	p.out = nil
	return out.Close()
}

// Abort ends without a plan because of an error, which it returns. It removes what was written,
// unless another attempt follows: that one writes the same files, and may have done so already.
func (p *Planner) Abort(ctx context.Context, err error) error {
	if p.out != nil {
		_ = p.fail(err)
	}
	failed, ok := errors.AsType[*files.Error](err)
	again := ctx.Err() != nil || asteroid.IsUnavailable(err) || ok && failed.Type == asteroid.ErrorTypeUnavailable
	if !again {
		_ = p.batch.delete(ctx, p.written...)
		if p.pass == 1 {
			p.batch.deleteFolders(ctx)
		}
	}
	return err
}

// Commit completes pass 1. columns are those of the rows.
func (p *Planner) Commit(ctx context.Context, columns []string, version *int, by Workflow) (*asteroid.PlanBatchResult, error) {
	p.plan.Columns, p.result.Version = columns, version
	if !p.batch.Deletes() {
		p.Warn("the store of the results deletes no files: the parts stay beside them")
	}
	result, err := p.commit(ctx)
	if err != nil {
		return nil, err
	}
	return result, p.batch.point(ctx, by)
}

func (p *Planner) commit(ctx context.Context) (*asteroid.PlanBatchResult, error) {
	if err := p.close(); err != nil {
		return nil, err
	}
	p.result.Mark = p.plan.Mark
	p.plan.Passes = append(p.plan.Passes, plannedPass{Files: p.files, Result: p.result})
	return &p.result, p.batch.writeJSON(ctx, p.batch.planURI(), p.plan)
}

// Version returns the version that the rows of the plan run, or nil.
func (b *Batch) Version(ctx context.Context) (*int, error) {
	p, err := b.readPlan(ctx)
	switch {
	case err != nil:
		return nil, err
	case p == nil:
		return nil, b.noPlan()
	}
	return p.Passes[0].Result.Version, nil
}

// Segment calls visit for the rows of a segment that run.
func (b *Batch) Segment(ctx context.Context, pass, segment int, visit func(*PlannedRow) error) error {
	uri := b.rowsURI(pass, segment)
	file, err := b.open(ctx, uri) // a segment that does not exist is an error
	if isAbsent(err) {
		return b.noPlan()
	} else if err != nil {
		return err
	}
	_ = file.Close()
	rows := newLines[PlannedRow](ctx, b, uri)
	defer rows.close()
	for {
		row, err := rows.next()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if row.runs() {
			if err := visit(row); err != nil {
				return err
			}
		}
	}
}
