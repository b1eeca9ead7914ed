package activities_test

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
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

// hook is a transport that shows each request before it is sent, and may fail it.
type hook func(r *http.Request) error

func (h hook) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := h(r); err != nil {
		return nil, err
	}
	return http.DefaultTransport.RoundTrip(r)
}

// connectThrough is connect with a hook.
func connectThrough(api *testsuite.API, h hook) map[string]asteroid.Connection {
	c := connect(api)[asteroid.DefaultConnection]
	c.Transport = h
	return one(c)
}

// count is how many requests of an operation have come in.
func count(api *testsuite.API, operation string) int {
	n := 0
	for _, r := range api.Requests() {
		if r.Operation == operation {
			n++
		}
	}
	return n
}

// memoryStore is a Store in memory.
type memoryStore struct {
	mu    sync.Mutex
	files map[string]stored
	// fail, if set, is asked before everything: op is stat, open, read or write.
	fail func(op string, uri *url.URL) error
}

type stored struct {
	content []byte
	info    asteroid.FileInfo
}

func newMemoryStore() *memoryStore { return &memoryStore{files: map[string]stored{}} }

func (s *memoryStore) get(op string, uri *url.URL) (stored, error) {
	if s.fail != nil {
		if err := s.fail(op, uri); err != nil {
			return stored{}, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	file, ok := s.files[uri.String()]
	if !ok && op != "write" {
		return stored{}, fmt.Errorf("mem: %w", fs.ErrNotExist)
	}
	return file, nil
}

func (s *memoryStore) Stat(_ context.Context, uri *url.URL) (asteroid.FileInfo, error) {
	file, err := s.get("stat", uri)
	return file.info, err
}

func (s *memoryStore) Open(_ context.Context, uri *url.URL) (io.ReadCloser, error) {
	file, err := s.get("open", uri)
	if err != nil {
		return nil, err
	}
	var tail io.Reader = strings.NewReader("")
	if s.fail != nil {
		if err := s.fail("read", uri); err != nil {
			tail = failing{err}
		}
	}
	return io.NopCloser(io.MultiReader(strings.NewReader(string(file.content)), tail)), nil
}

func (s *memoryStore) Write(_ context.Context, uri *url.URL, content io.Reader, info asteroid.FileInfo) error {
	if _, err := s.get("write", uri); err != nil {
		return err
	}
	all, err := io.ReadAll(content)
	if err != nil {
		return fmt.Errorf("reading what to store: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[uri.String()] = stored{all, info}
	return nil
}

func (s *memoryStore) put(uri string, content []byte, info asteroid.FileInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[uri] = stored{content, info}
}

func (s *memoryStore) all() map[string]stored {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.files)
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// requireType wants an error of one of the types.
func requireType(t *testing.T, errorType string, err error) {
	t.Helper()
	is := map[string]func(error) bool{
		asteroid.ErrorTypeInvalidInput: asteroid.IsInvalidInput, asteroid.ErrorTypeNotFound: asteroid.IsNotFound,
		asteroid.ErrorTypeUnauthorized: asteroid.IsUnauthorized, asteroid.ErrorTypeUnavailable: asteroid.IsUnavailable,
		asteroid.ErrorTypeStillRunning: asteroid.IsStillRunning,
	}[errorType]
	require.NotNil(t, is, errorType)
	require.True(t, is(err), "want %s, got: %v", errorType, err)
}
