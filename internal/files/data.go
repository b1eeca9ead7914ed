package files

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/temporal-asteroid/asteroid/internal/text"
)

// maxInline bounds the decoded content of a data: URI in bytes. Temporal refuses payloads of more
// than 2 MiB anyway.
const maxInline = 1 << 20

// FindData returns the source of a data: URI (RFC 2397).
func FindData(uri string) (*Source, error) {
	head, content, found := strings.Cut(uri[len("data:"):], ",")
	if !found {
		return nil, errors.New("a data: URI needs a comma before its content: data:text/plain,hello")
	}
	mediaType, isBase64 := strings.CutSuffix(head, ";base64")
	decoded, err := url.PathUnescape(content)
	if err != nil {
		return nil, errors.New("the content of the data: URI is not percent-encoded text")
	}
	if isBase64 {
		raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(decoded, "="))
		if err != nil {
			return nil, errors.New("the content of the data: URI is not base64")
		}
		decoded = string(raw)
	}
	if len(decoded) > maxInline {
		return nil, fmt.Errorf("the data: URI holds %d bytes, more than %d: store them in a file and refer to it", len(decoded), maxInline)
	}
	if mediaType == "" || strings.HasPrefix(mediaType, ";") {
		mediaType = "text/plain" + cmp.Or(mediaType, ";charset=US-ASCII")
	}
	if !IsMediaType(mediaType) {
		return nil, fmt.Errorf("%q is not a media type such as text/csv", text.Clip(mediaType))
	}
	return &Source{ContentType: mediaType, Size: int64(len(decoded)), Open: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(decoded)), nil
	}}, nil
}
