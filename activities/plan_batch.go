package activities

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/url"
	"path"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"go.temporal.io/sdk/activity"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/batch"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/files"
	"github.com/temporal-asteroid/asteroid/internal/rows"
)

// PlanBatch reads the rows of a batch once, checks each, and writes them next to the results in
// segments of at most 300 rows, or 256 KiB of inputs. Memory stays flat whatever the number of
// rows, up to a million: of each row it keeps a digest of the key.
//
// A row is malformed if it cannot be read, if its key is empty or taken, or if its input is more
// than 64 KiB, breaks a rule of RunAgent, or, with CheckInputs, is not what the agent's version
// takes. Cells have at most 4 MiB and rows 16 MiB, also where the template does not use them.
//
// If the batch has run before under its key, with the same destination, only the rows that have not
// succeeded run: a failed or cancelled one with the next attempt. That is told by the ledger and,
// of a batch that was terminated, by its parts. Rows have the same content if the agent, its
// profile, its inputs and its files are the same, as ExecuteAgent compares them. A row whose agent
// may be at work keeps its attempt, so that it adopts the agent: it had no result when its batch
// was terminated, or failed because its workflow was terminated or could not wait.
//
// A pass that is planned already is not planned again: the activity returns what it returned then.
// Nothing is left of a batch that is refused.
//
// Errors: asteroid.InvalidInput if a row is malformed or has changed, unless the input allows it,
// with the first 20 by line and column; if the rows lack a column; or if the destination is a file
// that no batch has written, or belongs to another batch, or to a workflow that is at work; those
// of StageFiles about the source; those of SaveFiles about the destination; those of DescribeAgent.
func (a *Activities) PlanBatch(ctx context.Context, in asteroid.PlanBatchInput) (*asteroid.PlanBatchResult, error) {
	c, err := a.checkInput(in.Connection, in.Validate)
	if err != nil {
		return nil, err
	}
	b, err := a.batchFiles(ctx, in.BatchPlan)
	if err != nil {
		return nil, err
	}
	if in.Rows.Source != nil && isSamePlace(in.Rows.Source.URI, in.Results.Destination) {
		return nil, asteroid.NewInvalidInput(destinationField, "is the file with the rows, which the results would replace: name another file")
	}
	template, err := rows.NewTemplate(in.Template, in.InputColumns)
	if err != nil {
		return nil, err
	}
	done, stop := countRows(ctx)
	defer stop()
	result, err := a.planPass(ctx, c, b, template, in, done)
	if err != nil {
		return nil, batchError(ctx, err)
	}
	result.SearchAttributes = a.searchAttributesOfBatch(ctx)
	activity.GetLogger(ctx).Info("Batch planned", "batchKey", in.BatchKey, "pass", in.Pass, "rows", result.Rows, "segments", result.Segments)
	return result, nil
}

// isSamePlace reports whether two URIs name one file, however its path is spelled.
func isSamePlace(x, y string) bool {
	a, errA := url.Parse(x)
	b, errB := url.Parse(y)
	return errA == nil && errB == nil && strings.EqualFold(a.Scheme, b.Scheme) && a.Opaque == "" && b.Opaque == "" &&
		strings.EqualFold(a.Host, b.Host) && path.Clean(a.Path) == path.Clean(b.Path)
}

func (a *Activities) planPass(ctx context.Context, c *client.Client, b *batch.Batch, template *rows.Template,
	in asteroid.PlanBatchInput, done *atomic.Int64) (*asteroid.PlanBatchResult, error) {
	info := activity.GetInfo(ctx).WorkflowExecution
	by := batch.Workflow{ID: info.ID, RunID: info.RunID}
	if err := b.CheckDestination(ctx); err != nil {
		return nil, err
	}
	if recorded, err := b.Recorded(ctx, in.Pass, by); err != nil || recorded != nil {
		return recorded, err
	}
	if in.Pass > 1 {
		return b.PlanRerun(ctx, in.Pass, func(row *batch.PlannedRow) int {
			done.Add(1)
			return len(template.Expand(row.Cells))
		})
	}
	if err := a.checkOwner(ctx, b); err != nil {
		return nil, err
	}
	if err := b.TakeOver(ctx); err != nil {
		return nil, err
	}
	content, format, err := a.openRows(ctx, c, in.Rows)
	if err != nil {
		return nil, err
	}
	defer func() { _ = content.Close() }()
	delimiter := rune(0)
	if in.Rows.Delimiter != "" {
		delimiter, _ = utf8.DecodeRuneInString(in.Rows.Delimiter)
	}
	planner, err := b.Plan(ctx)
	if err != nil {
		return nil, err
	}
	p := &firstPass{Activities: a, c: c, in: in, template: template, planner: planner, done: done, keys: map[[16]byte]int32{}}
	columns, err := p.plan(ctx, content, rows.Options{Format: format, Delimiter: delimiter, Encoding: in.Rows.Encoding})
	if err != nil {
		return nil, planner.Abort(ctx, err)
	}
	return planner.Commit(ctx, columns, p.checks.pinned, by)
}

// checkOwner refuses results that belong to another batch, or on which another workflow is at work.
// An earlier run of this workflow, which its RetryPolicy has replaced, is not at work any more.
func (a *Activities) checkOwner(ctx context.Context, b *batch.Batch) error {
	owner, err := b.Owner(ctx)
	if err != nil || owner == nil {
		return err
	}
	switch service := a.service(ctx); {
	case owner.ID == activity.GetInfo(ctx).WorkflowExecution.ID:
		return nil
	case service == nil || owner.ID == "": // in a test
		return nil
	}
	last, err := a.endOfChain(ctx, owner.ID, owner.RunID)
	switch {
	case err != nil:
		return err
	case last != nil && isOpen(last):
		return asteroid.NewInvalidInput("batchKey", fmt.Sprintf(
			"is that of a batch at work, in the workflow %s: wait for it or cancel it", owner.ID))
	}
	return nil
}

// openRows opens the file with the rows and finds out its format.
func (a *Activities) openRows(ctx context.Context, c *client.Client, in asteroid.BatchRows) (io.ReadCloser, asteroid.RowFormat, error) {
	if in.Source == nil {
		return io.NopCloser(rows.Inline(in.Inline)), asteroid.RowsJSONLines, nil
	}
	const field = "rows.source"
	f := &finder{Activities: a, connection: c, refs: []asteroid.FileRef{*in.Source}, waited: waited(ctx, listingInterval),
		listings: map[string]func() (*listing, error){}}
	source, err := f.find(ctx, field, *in.Source)
	if err != nil {
		return nil, "", activityError(ctx, err)
	}
	transferCtx, stop := files.WithStallTimeout(ctx)
	content, err := source.Open(transferCtx)
	if err != nil {
		stop()
		return nil, "", referenceError(ctx, field+".uri", err)
	}
	file := &rowsFile{ctx: ctx, transferCtx: transferCtx, stop: stop, file: content, field: field + ".uri"}
	file.content = files.NewCheckedReader("the file", content, source.Size, nil)
	return file, formatOfRows(in.Format, source), nil
}

// formatOfRows returns the format of a file of rows.
func formatOfRows(given asteroid.RowFormat, source *files.Source) asteroid.RowFormat {
	media, _, _ := mime.ParseMediaType(source.ContentType)
	switch ending := strings.ToLower(path.Ext(source.Name)); {
	case given != "":
		return given
	case ending == ".csv", ending == ".tsv", ending == ".txt":
		return asteroid.RowsCSV
	case ending == ".jsonl", ending == ".ndjson", ending == ".json", strings.Contains(media, "json"):
		return asteroid.RowsJSONLines
	default:
		return asteroid.RowsCSV
	}
}

// rowsFile is the file with the rows, which is read while segments are written.
type rowsFile struct {
	ctx, transferCtx context.Context //nolint:containedctx // of the activity and of the transfer
	stop             func()
	file             io.Closer
	content          io.Reader
	field            string
}

func (f *rowsFile) Read(p []byte) (int, error) {
	files.Alive(f.transferCtx)
	n, err := f.content.Read(p)
	files.Within(f.transferCtx, files.Unlimited)
	if err != nil && !errors.Is(err, io.EOF) {
		if cause := context.Cause(f.transferCtx); cause != nil {
			err = cause
		}
		err = referenceError(f.ctx, f.field, files.StoreError("the file", err))
	}
	return n, err
}

// Close releases the file.
func (f *rowsFile) Close() error {
	f.stop()
	return f.file.Close()
}
