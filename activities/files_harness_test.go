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

// patternBytes returns n bytes with a pattern that does not repeat soon.
func patternBytes(n int) []byte {
	made := make([]byte, n)
	for i := range made {
		made[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return made
}

func sha256Hex(content []byte) string {
	digest := sha256.Sum256(content)
	return hex.EncodeToString(digest[:])
}

// writeFile writes a file in dir and returns its reference.
func writeFile(t *testing.T, dir, name, content string) asteroid.FileRef {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return asteroid.FileRef{URI: "file://" + path}
}

// uploadServer is an API that stages files and records the uploads.
type uploadServer struct {
	connections map[string]asteroid.Connection
	mu          sync.Mutex
	received    []upload
}

type upload struct {
	name, contentType string
	content           []byte
	length            int64 // Content-Length of the request; -1 without one
	complete          bool
}

func newUploadServer(t *testing.T) *uploadServer {
	t.Helper()
	s := &uploadServer{}
	s.connections = serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
		form, err := r.MultipartReader()
		if err != nil {
			t.Error(err)
			return
		}
		part, err := form.NextPart()
		if err != nil {
			return // the request broke off before the file
		}
		content, err := io.ReadAll(part)
		if err == nil {
			_, err = form.NextPart() // only a complete form has an end
		}
		s.mu.Lock()
		s.received = append(s.received, upload{
			part.FileName(), part.Header.Get("Content-Type"), content, r.ContentLength, errors.Is(err, io.EOF),
		})
		s.mu.Unlock()
		acceptUpload(w, r, part.FileName())
	})
	return s
}

// complete returns the uploads that arrived completely.
func (s *uploadServer) complete() []upload {
	s.mu.Lock()
	defer s.mu.Unlock()
	var complete []upload
	for _, u := range s.received {
		if u.complete {
			complete = append(complete, u)
		}
	}
	return complete
}

// acceptUpload reads the rest of the request and answers that the file is staged under this name.
func acceptUpload(w http.ResponseWriter, r *http.Request, name string) {
	_, _ = io.Copy(io.Discard, r.Body)
	_ = json.NewEncoder(w).Encode(map[string]any{"tempFiles": []map[string]string{{"id": "t-1", "name": name}}})
}

// stageFiles runs StageFiles once.
func stageFiles(
	t *testing.T, options worker.Options, refs ...asteroid.FileRef,
) (*asteroid.StageFilesResult, error) {
	t.Helper()
	env := newEnv(t, options)
	env.SetTestTimeout(time.Minute)
	return runActivity[asteroid.StageFilesResult](env, asteroid.StageFilesName, asteroid.StageFilesInput{Files: refs})
}

// serveHTTPS serves over TLS on a loopback address and returns options that allow this server.
func serveHTTPS(t *testing.T, handler http.HandlerFunc) (base string, options asteroid.HTTPSOptions) {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return server.URL, asteroid.HTTPSOptions{
		RootCAs: roots, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	}
}

// serveRanges serves content, or the requested range of it, with an ETag unless tag is empty.
func serveRanges(w http.ResponseWriter, r *http.Request, tag string, content []byte) {
	if tag != "" {
		w.Header().Set("ETag", tag)
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// abortAfter writes the beginning of a body and closes the connection.
func abortAfter(w http.ResponseWriter, begin []byte) {
	_, _ = w.Write(begin)
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// requestLog records the headers of requests, with the path and query under ":path".
type requestLog struct {
	mu      sync.Mutex
	headers []http.Header
}

func (l *requestLog) add(r *http.Request) (nth int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	header := r.Header.Clone()
	header[":path"] = []string{r.URL.RequestURI()}
	l.headers = append(l.headers, header)
	return len(l.headers)
}

func (l *requestLog) all() []http.Header {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]http.Header(nil), l.headers...)
}
