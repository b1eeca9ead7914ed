package files

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/temporal-asteroid/asteroid/internal/text"
)

// contentCoding returns the coding of a response's content: gzip, deflate, or "" for none. Its
// error names any other. A host may send a coding that nobody accepted, because it stores the file
// so.
func contentCoding(header http.Header) (string, error) {
	codings := strings.FieldsFunc(strings.ToLower(strings.Join(header.Values("Content-Encoding"), ",")), func(r rune) bool {
		return r == ',' || r == ' ' || r == '\t'
	})
	codings = slices.DeleteFunc(codings, func(coding string) bool {
		return coding == "identity" || coding == "aws-chunked" // that of a request, which S3 may keep
	})
	switch {
	case len(codings) == 0:
		return "", nil
	case len(codings) == 1 && (codings[0] == "gzip" || codings[0] == "x-gzip"):
		return "gzip", nil
	case len(codings) == 1 && codings[0] == "deflate":
		return "deflate", nil
	}
	return "", fmt.Errorf("the content has the encoding %s, which is not decoded: store the file without it",
		text.Clip(strings.Join(codings, ", ")))
}

// isArchive reports whether a file is compressed by itself. Hosts often name that as its coding
// too, and nobody expects it to be unpacked.
func isArchive(name, contentType string) bool {
	name = strings.ToLower(name)
	return strings.HasSuffix(name, ".gz") || strings.HasSuffix(name, ".tgz") || strings.HasSuffix(name, ".svgz") ||
		strings.Contains(contentType, "gzip")
}

// decoder is the content of a file without its coding. Its Close closes the encoded content.
type decoder struct {
	name    string // for errors
	coding  string // gzip or deflate
	encoded io.ReadCloser
	decoded io.Reader // nil before the first Read
	limit   int64     // of the decoded bytes; 0 means unbounded
	read    int64
}

func (d *decoder) Read(p []byte) (n int, err error) {
	if d.decoded == nil {
		if d.decoded, err = newDecoder(d.coding, d.encoded); err != nil {
			return 0, d.decodeError(err)
		}
	}
	n, err = d.decoded.Read(p)
	d.read += int64(n)
	switch {
	case d.limit > 0 && d.read > d.limit:
		return n, Invalid("%s has more than the %d bytes that this worker fetches, once it is decoded", d.name, d.limit)
	case errors.Is(err, io.EOF):
		if _, err := io.Copy(io.Discard, d.encoded); err != nil { // its end compares the checksums
			return n, err
		}
		return n, io.EOF
	case err != nil:
		return n, d.decodeError(err)
	}
	return n, nil
}

// decodeError returns the error of reading the encoded content, or one that says that this has
// another form.
func (d *decoder) decodeError(err error) error {
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	return Invalid("%s is not the %s that its Content-Encoding states: %w", d.name, d.coding, err)
}

func (d *decoder) Close() error { return d.encoded.Close() }

func newDecoder(coding string, encoded io.Reader) (io.Reader, error) {
	if coding == "deflate" {
		return zlib.NewReader(encoded)
	}
	return gzip.NewReader(encoded)
}

// decodeHead decodes the first bytes of a file, as far as they go.
func decodeHead(coding string, head []byte) []byte {
	if coding == "" {
		return head
	}
	decoded := make([]byte, len(head))
	n := 0
	if reader, err := newDecoder(coding, bytes.NewReader(head)); err == nil {
		n, _ = io.ReadFull(reader, decoded)
	}
	return decoded[:n]
}
