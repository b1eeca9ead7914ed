package activities

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/batch"
	"github.com/temporal-asteroid/asteroid/internal/bound"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/rows"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// firstPass plans the rows of a file.
type firstPass struct {
	*Activities
	c        *client.Client
	in       asteroid.PlanBatchInput
	template *rows.Template
	planner  *batch.Planner
	done     *atomic.Int64
	checks   rowChecks
	keys     map[[16]byte]int32 // the line of each key, by its digest
	refused  findings
	first    *rows.Problem // of the rows that cannot be read
}

// plan writes the rows and returns their columns.
func (p *firstPass) plan(ctx context.Context, content io.Reader, options rows.Options) ([]string, error) {
	p.checks = rowChecks{Activities: p.Activities, c: p.c}
	reader, err := rows.NewReader(content, options)
	if err != nil {
		return nil, rowsError(err)
	}
	if options.Format != asteroid.RowsJSONLines {
		if err := p.checkColumns(reader.Columns()); err != nil {
			return nil, err
		}
	}
	number := 0
	for ; !p.refused.full(); number++ {
		row, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, rowsError(err)
		}
		if number == batch.MaxRows {
			return nil, asteroid.NewInvalidInput("rows", fmt.Sprintf("are more than %d: split them into several batches", batch.MaxRows))
		}
		if err := p.row(ctx, number+1, row); err != nil {
			return nil, err
		}
		p.done.Add(1)
	}
	columns := reader.Columns()
	if len(columns) == 0 && p.first != nil { // a list in JSON, for example, has no columns either
		return nil, cmp.Or(p.refused.error(), asteroid.NewInvalidInput("rows", "none of them can be read: "+p.first.String()))
	}
	if options.Format == asteroid.RowsJSONLines && number > 0 && !p.refused.full() {
		if err := p.checkColumns(columns); err != nil {
			return nil, err
		}
	}
	return columns, p.refused.error()
}

// rowsError returns the error of a file that cannot be read any further.
func rowsError(err error) error {
	if malformed, ok := errors.AsType[*rows.FileError](err); ok {
		return asteroid.NewInvalidInput("rows", malformed.Error())
	}
	return err
}

// checkColumns checks every name of a column in the input.
func (p *firstPass) checkColumns(columns []string) error {
	if err := p.template.CheckColumns(columns); err != nil {
		return err
	}
	if key := p.in.Rows.KeyColumn; key != "" {
		if err := rows.CheckColumn("rows.keyColumn", columns, key); err != nil {
			return err
		}
	}
	for _, name := range p.in.Results.Columns {
		if err := rows.CheckColumn("results.columns", columns, name); err != nil {
			return err
		}
	}
	return nil
}

// row plans one row.
func (p *firstPass) row(ctx context.Context, number int, row *rows.Row) error {
	p.first = cmp.Or(p.first, row.Problem)
	planned := &batch.PlannedRow{Number: number, Line: row.Line, Cells: row.Cells}
	problem := p.key(planned, row)
	var bytes int
	if problem == nil {
		input := p.template.Expand(row.Cells)
		bytes = len(input)
		var err error
		if problem, err = p.check(ctx, planned, row, input); err != nil {
			return err
		}
	}
	if problem != nil {
		planned.Problem = text.Line(problem.String(), maxFinding)
		if p.in.Rows.OnMalformed != asteroid.RowsSkip {
			p.refused.add(planned.Problem)
			return nil
		}
		planned.Digest = ""
		return p.planner.Keep(ctx, planned)
	}
	before := p.planner.Look(planned)
	if before == batch.BeforeChanged && p.in.Rows.OnChanged != asteroid.RowsRerun {
		p.refused.add(fmt.Sprintf("line %d: the row %s has succeeded before with other content: set onChanged to run it again",
			row.Line, text.Clip(planned.Key)))
	}
	switch {
	case len(p.refused.list) > 0: // nothing of the plan will be kept
		return nil
	case before == batch.BeforeSucceeded:
		return p.planner.Keep(ctx, planned)
	default:
		return p.planner.Run(ctx, planned, bytes)
	}
}

// maxRowKey is the longest key of a row, in bytes.
const maxRowKey = 200

// key sets a row's key, which is unique.
func (p *firstPass) key(planned *batch.PlannedRow, row *rows.Row) *rows.Problem {
	column := p.in.Rows.KeyColumn
	problem := func(format string, args ...any) *rows.Problem {
		return &rows.Problem{Position: row.At(column), Text: fmt.Sprintf(format, args...)}
	}
	if column == "" {
		planned.Key = strconv.Itoa(planned.Number)
		return row.Problem
	}
	key := strings.TrimSpace(rows.Text(row.Cells[column]))
	if row.Problem != nil {
		planned.Key = text.Clip(key)
		return row.Problem
	}
	switch {
	case key == "":
		return problem("the key, in the column %s, is empty", text.Clip(column))
	case len(key) > maxRowKey || strings.ContainsFunc(key, text.Misleading) || strings.HasPrefix(key, "{") || strings.HasPrefix(key, "["):
		return problem("the key, in the column %s, must be a text or a number of at most %d bytes without invisible characters", text.Clip(column), maxRowKey)
	}
	planned.Key = key
	sum := sha256.Sum256([]byte(key))
	digest := [16]byte(sum[:16])
	if line, taken := p.keys[digest]; taken {
		return problem("the key, in the column %s, is that of line %d too", text.Clip(column), line)
	}
	p.keys[digest] = int32(row.Line) //nolint:gosec // for a message
	return nil
}

// maxInput is the largest input of a row.
const maxInput = 64 << 10

// check checks the input of a row and sets its digest.
func (p *firstPass) check(ctx context.Context, planned *batch.PlannedRow, row *rows.Row, input []byte) (*rows.Problem, error) {
	if len(input) > maxInput {
		largest, size := "", 0
		for _, column := range p.template.Columns(slices.Sorted(maps.Keys(row.Cells))) {
			if cell := row.Cells[column]; len(cell) > size {
				largest, size = column, len(cell)
			}
		}
		return &rows.Problem{Position: row.At(largest), Text: fmt.Sprintf(
			"the input has %d bytes, more than %d: pass large content as a file", len(input), maxInput)}, nil
	}
	digest, problem, warnings, err := p.checks.check(ctx, input)
	if err != nil {
		return nil, err
	}
	for _, warning := range warnings {
		p.planner.Warn(warning)
	}
	planned.Digest = digest
	if problem != "" {
		return &rows.Problem{Position: row.At(""), Text: problem}, nil
	}
	return nil, nil
}

// findings are the first malformed and changed rows.
type findings struct{ list []string }

const (
	maxFindings      = 20
	maxFinding       = 160
	maxFindingsBytes = 2200 // so that the error keeps all of it
)

func (f *findings) add(finding string) { f.list = append(f.list, finding) }

// full reports whether more rows would not be named.
func (f *findings) full() bool { return len(f.list) > maxFindings }

func (f *findings) error() error {
	if len(f.list) == 0 {
		return nil
	}
	said, named := "", 0
	for _, finding := range f.list[:min(len(f.list), maxFindings)] {
		if named > 0 && len(said)+len(finding) > maxFindingsBytes {
			break
		}
		said += "\n" + finding
		named++
	}
	if len(f.list) > named {
		said += "\nand more"
	}
	// Not by NewInvalidInput, which would cut the list.
	return bound.Error(temporal.NewNonRetryableApplicationError("rows: nothing was started:"+said,
		asteroid.ErrorTypeInvalidInput, nil, asteroid.ErrorDetails{Field: "rows"}))
}
