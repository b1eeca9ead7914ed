package batch

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/url"
)

// lines reads the lines of several files, one after another. A file that does not exist has none.
type lines[T any] struct {
	b       *Batch
	ctx     context.Context //nolint:containedctx // of the reader's whole life
	uris    []*url.URL
	file    io.ReadCloser
	decoder *json.Decoder
	size    int64 // of the last line
}

func newLines[T any](ctx context.Context, b *Batch, uris ...*url.URL) *lines[T] {
	return &lines[T]{b: b, ctx: ctx, uris: uris}
}

// next returns the next line, or io.EOF after the last file.
func (l *lines[T]) next() (*T, error) {
	for {
		if l.decoder == nil {
			if len(l.uris) == 0 {
				return nil, io.EOF
			}
			file, err := l.b.open(l.ctx, l.uris[0])
			if isAbsent(err) {
				l.uris = l.uris[1:]
				continue
			} else if err != nil {
				return nil, err
			}
			const buffer = 64 << 10
			l.file, l.decoder = file, json.NewDecoder(bufio.NewReaderSize(file, buffer))
		}
		line, before := new(T), l.decoder.InputOffset()
		err := l.decoder.Decode(line)
		l.size = l.decoder.InputOffset() - before
		switch {
		case err == nil:
			return line, nil
		case !errors.Is(err, io.EOF):
			return nil, damaged(l.uris[0], err)
		}
		l.close()
		l.uris = l.uris[1:]
	}
}

// close releases the file that is open.
func (l *lines[T]) close() {
	if l.file != nil {
		_ = l.file.Close()
		l.file, l.decoder = nil, nil
	}
}

// outcomes reads the results of one pass in the order of the rows.
type outcomes struct {
	*lines[Outcome]
	head *Outcome
	end  bool
}

// of returns the result of a row, or nil. The numbers that it is called with grow.
func (o *outcomes) of(number int) (*Outcome, error) {
	for !o.end && (o.head == nil || o.head.Number < number) {
		head, err := o.next()
		if errors.Is(err, io.EOF) {
			o.end, o.head = true, nil
			break
		} else if err != nil {
			return nil, err
		}
		o.head = head
	}
	if o.head != nil && o.head.Number == number {
		return o.head, nil
	}
	return nil, nil
}
