package activities_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/worker"
)

// content is n bytes that do not repeat soon.
func content(n int) []byte {
	made := make([]byte, n)
	for i := range made {
		made[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return made
}

func sum(content []byte) string {
	digest := sha256.Sum256(content)
	return hex.EncodeToString(digest[:])
}

// writeFile puts a file below dir and returns its reference.
func writeFile(t *testing.T, dir, name, content string) asteroid.FileRef {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return asteroid.FileRef{URI: "file://" + path}
}

// sink is a service that stages files and shows what has arrived.
type sink struct {
	connections map[string]asteroid.Connection
	mu          sync.Mutex
	received    []received
}

type received struct {
	name, contentType string
	content           []byte
	length            int64 // of the request; -1 if it was not told
	whole             bool
}

func newSink(t *testing.T) *sink {
	t.Helper()
	s := &sink{}
	s.connections = canned(t, func(w http.ResponseWriter, r *http.Request) {
		form, err := r.MultipartReader()
		if err != nil {
			t.Error(err)
			return
		}
		part, err := form.NextPart()
		if err != nil {
			return // cut off in the head
		}
		content, err := io.ReadAll(part)
		if err == nil {
			_, err = form.NextPart() // only a whole form has an end
		}
		s.mu.Lock()
		s.received = append(s.received, received{part.FileName(), part.Header.Get("Content-Type"), content, r.ContentLength, errors.Is(err, io.EOF)})
		s.mu.Unlock()
		_ = json.NewEncoder(w).Encode(map[string]any{"tempFiles": []map[string]string{{"id": "t-1", "name": part.FileName()}}})
	})
	return s
}

// files are those that arrived whole.
func (s *sink) files() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	var whole []received
	for _, r := range s.received {
		if r.whole {
			whole = append(whole, r)
		}
	}
	return whole
}

// stage stages references.
func stage(t *testing.T, options worker.Options, refs ...asteroid.FileRef) (*asteroid.StageFilesResult, error) {
	t.Helper()
	env := newEnv(t, options)
	env.SetTestTimeout(time.Minute)
	return run[asteroid.StageFilesResult](env, asteroid.StageFilesName, asteroid.StageFilesInput{Files: refs})
}

// secure serves over TLS on a loopback address, which the options open.
func secure(t *testing.T, handler http.HandlerFunc) (base string, options asteroid.HTTPSOptions) {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = discardLog
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return server.URL, asteroid.HTTPSOptions{RootCAs: roots, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
}

var discardLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)

// serveRanges serves content with ranges and a validator.
func serveRanges(w http.ResponseWriter, r *http.Request, tag string, content []byte) {
	if tag != "" {
		w.Header().Set("ETag", tag)
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// breakOff sends the beginning of what the answer promised and closes the connection.
func breakOff(w http.ResponseWriter, begin []byte) {
	_, _ = w.Write(begin)
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// headerLog keeps the headers of requests, each with the path and query under ":path".
type headerLog struct {
	mu      sync.Mutex
	headers []http.Header
}

func (l *headerLog) add(r *http.Request) (nth int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	header := r.Header.Clone()
	header[":path"] = []string{r.URL.RequestURI()}
	l.headers = append(l.headers, header)
	return len(l.headers)
}

func (l *headerLog) all() []http.Header {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]http.Header(nil), l.headers...)
}
