package batch

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/files"
)

const linesContentType = "application/x-ndjson"

// Batch is the files of one plan of a batch.
type Batch struct {
	asteroid.BatchPlan
	store   asteroid.Store
	results *url.URL
}

// New returns the files of a plan. results is the plan's destination, in the store.
func New(store asteroid.Store, results *url.URL, plan asteroid.BatchPlan) *Batch {
	return &Batch{BatchPlan: plan, store: store, results: results}
}

// beside returns the URI of a file whose name begins with that of the results.
func (b *Batch) beside(suffix string) *url.URL {
	uri := *b.results
	uri.Path, uri.RawPath = uri.Path+suffix, ""
	return &uri
}

func (b *Batch) ledgerURI() *url.URL  { return b.beside(".ledger.jsonl") }
func (b *Batch) pointerURI() *url.URL { return b.beside(".batch.json") }
func (b *Batch) part(name string) *url.URL {
	return b.beside(path.Join(".parts", b.PlanID, name))
}
func (b *Batch) planURI() *url.URL { return b.part("plan.json") }
func (b *Batch) rowsURI(pass, segment int) *url.URL {
	return b.part(fmt.Sprintf("p%d-%04d.rows.jsonl", pass, segment))
}
func (b *Batch) outcomesURI(pass, segment int) *url.URL {
	return b.part(fmt.Sprintf("p%d-%04d.results.jsonl", pass, segment))
}

// CheckDestination refuses results whose place on disk is a folder, which would come out at the end
// only. Other stores have no folders.
func (b *Batch) CheckDestination(ctx context.Context) error {
	if b.results.Scheme != "file" {
		return nil
	}
	_, err := b.store.Stat(ctx, b.results)
	if failed, ok := errors.AsType[*files.Error](err); ok && failed.Type == asteroid.ErrorTypeInvalidInput {
		return failed
	}
	return nil // what else is wrong, reading and writing tell
}

// isAbsent reports whether a file does not exist.
func isAbsent(err error) bool {
	failed, ok := errors.AsType[*files.Error](err)
	return ok && failed.Type == asteroid.ErrorTypeNotFound
}

// storeError names the file of an error of the store.
func storeError(ctx context.Context, uri *url.URL, err error) error {
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return files.StoreError(files.RedactURL(uri), err)
}

// open opens a file of the batch.
func (b *Batch) open(ctx context.Context, uri *url.URL) (io.ReadCloser, error) {
	ctx, stop := files.WithStallTimeout(ctx)
	files.Within(ctx, files.StoreTimeout)
	file, err := b.store.Open(ctx, uri)
	if err != nil {
		err = storeError(ctx, uri, err)
		stop()
		return nil, err
	}
	return &openFile{Source: file, ctx: ctx, uri: uri, stop: stop}, nil
}

// openFile is a file of a store that is read while other files are read and written.
type openFile struct {
	Source io.ReadCloser
	ctx    context.Context //nolint:containedctx // of the transfer
	uri    *url.URL
	stop   func()
}

func (f *openFile) Read(p []byte) (int, error) {
	files.Within(f.ctx, files.StoreTimeout)
	n, err := f.Source.Read(p)
	files.Within(f.ctx, files.Unlimited)
	if err != nil && !errors.Is(err, io.EOF) {
		err = storeError(f.ctx, f.uri, err)
	}
	return n, err
}

// Close releases the file.
func (f *openFile) Close() error {
	f.stop()
	return f.Source.Close()
}

// readJSON reads a small file. It reports false if there is none.
func (b *Batch) readJSON(ctx context.Context, uri *url.URL, v any) (bool, error) {
	const most = 16 << 20
	file, err := b.open(ctx, uri)
	if isAbsent(err) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	defer func() { _ = file.Close() }()
	if err := json.NewDecoder(io.LimitReader(file, most)).Decode(v); err != nil {
		return false, damaged(uri, err)
	}
	return true, nil
}

func (b *Batch) writeJSON(ctx context.Context, uri *url.URL, v any) error {
	out := b.create(ctx, uri, "application/json")
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return out.abort(err)
	}
	return out.Close()
}

// damaged is the error of a file of the batch that cannot be decoded.
func damaged(uri *url.URL, err error) error {
	if _, ok := errors.AsType[*files.Error](err); ok {
		return err // of reading it
	}
	return files.Invalid("%s is no file of a batch, or is damaged: %w", files.RedactURL(uri), err)
}

// output is a file that is being written. It appears when Close returns nil.
type output struct {
	*bufio.Writer
	pipe    *io.PipeWriter
	ended   chan error
	content *files.CheckedReader
}

// create begins to write a file.
func (b *Batch) create(ctx context.Context, uri *url.URL, contentType string) *output {
	const buffer = 64 << 10
	ctx, stop := files.WithStallTimeout(ctx)
	reader, writer := io.Pipe()
	o := &output{Writer: bufio.NewWriterSize(writer, buffer), pipe: writer, ended: make(chan error, 1)}
	o.content = files.NewCheckedReader(files.RedactURL(uri), &producedReader{reader, ctx}, files.UnknownSize, nil)
	go func() {
		defer stop()
		files.Within(ctx, files.StoreTimeout)
		err := b.store.Write(ctx, uri, o.content, asteroid.FileInfo{
			Name: path.Base(uri.Path), ContentType: contentType, Size: files.UnknownSize,
		})
		switch {
		case o.content.Failed != nil:
			err = o.content.Failed // the store's own error only wraps it
		case err != nil:
			err = storeError(ctx, uri, err)
		case !o.content.Ended:
			err = files.Unavailable("%s: the store returned before it had read the whole file", files.RedactURL(uri))
		}
		_ = reader.CloseWithError(cmp.Or(err, io.ErrClosedPipe)) // ends a Write
		o.ended <- err
	}()
	return o
}

// Close ends the file.
func (o *output) Close() error {
	if o.Flush() == nil { // else the store's own error follows
		_ = o.pipe.Close()
	}
	return <-o.ended
}

// abort ends without a file, because of an error, which it returns, or that of the store behind it.
func (o *output) abort(err error) error {
	_ = o.pipe.CloseWithError(err)
	return cmp.Or(<-o.ended, err)
}

// producedReader reads content that takes its time to be made. Between two reads the store may be
// silent for StoreTimeout.
type producedReader struct {
	io.Reader
	ctx context.Context //nolint:containedctx // of the transfer
}

func (r *producedReader) Read(p []byte) (int, error) {
	files.Within(r.ctx, files.Unlimited)
	n, err := r.Reader.Read(p)
	if cause := context.Cause(r.ctx); cause != nil { // an attempt that timed out replaces no newer file
		return 0, cause
	}
	if err == nil {
		files.Within(r.ctx, files.StoreTimeout)
	}
	return n, err
}

// encodeLine writes a value as one line.
func encodeLine(out io.Writer, v any) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

// Deletes reports whether the store can delete the parts.
func (b *Batch) Deletes() bool {
	_, ok := b.store.(asteroid.Deleter)
	return ok
}

// delete removes files, and does nothing in a store that cannot.
func (b *Batch) delete(ctx context.Context, uris ...*url.URL) error {
	deleter, ok := b.store.(asteroid.Deleter)
	if !ok {
		return nil
	}
	for _, uri := range uris {
		if err := storeError(ctx, uri, deleter.Delete(ctx, uri)); err != nil && !isAbsent(err) {
			return err
		}
	}
	return nil
}
