package activities

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/files"
)

// transportFunc is a transport that sends nothing.
type transportFunc func(r *http.Request) (*http.Response, error)

func (a transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return a(r) }

// oneFileStore is a Store that knows one URI.
type oneFileStore struct{}

func (oneFileStore) Stat(_ context.Context, uri *url.URL) (asteroid.FileInfo, error) {
	if uri.Path == "/there" {
		return asteroid.FileInfo{Size: 3}, nil
	}
	return asteroid.FileInfo{}, fs.ErrNotExist
}

func (oneFileStore) Open(context.Context, *url.URL) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader("abc")), nil
}

func (oneFileStore) Write(context.Context, *url.URL, io.Reader, asteroid.FileInfo) error {
	return errors.ErrUnsupported
}

// newFuzzedFinder returns a finder whose file root has files with the content "inside". Files
// beside the root have the content "outside".
func newFuzzedFinder(f *testing.F) *finder {
	parent := f.TempDir()
	root := filepath.Join(parent, "r")
	for name, content := range map[string]string{"r/a.txt": "inside", "r/d/b": "inside", "o/secret": "outside", "r-secret": "outside", "secret": "outside"} {
		name = filepath.Join(parent, name)
		require.NoError(f, os.MkdirAll(filepath.Dir(name), 0o700))
		require.NoError(f, os.WriteFile(name, []byte(content), 0o600))
	}
	for link, target := range map[string]string{"l": "../o/secret", "up": "..", "o": "../o", "in": "d/b", "null": "/dev/null"} {
		require.NoError(f, os.Symlink(target, filepath.Join(root, link)))
	}
	body := func(r *http.Request, status int, header http.Header, content string) *http.Response {
		return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(content)), ContentLength: int64(len(content)), Request: r}
	}
	a, err := New(Options{
		FileRoots: []string{root}, HTTPS: asteroid.HTTPSOptions{Hosts: []string{"files.example.com"}}, Stores: map[string]asteroid.Store{"mem": oneFileStore{}},
		Connections: map[string]asteroid.Connection{asteroid.DefaultConnection: {APIKey: asteroid.StaticAPIKey("topsecret"), Transport: transportFunc(func(r *http.Request) (*http.Response, error) {
			return body(r, http.StatusOK, http.Header{}, `{"directories":{"downloads":[{"id":"1","directory":"downloads","filePath":"/downloads/x","fileName":"x","fileSize":3}]}}`), nil
		})}},
	})
	require.NoError(f, err)
	a.https.Client.Transport = transportFunc(func(r *http.Request) (*http.Response, error) {
		if r.URL.Scheme != "https" || !strings.EqualFold(strings.TrimSuffix(r.URL.Hostname(), "."), "files.example.com") {
			panic("a request was sent to " + r.URL.String())
		}
		for name := range r.Header {
			if strings.Contains(strings.ToLower(name), "key") {
				panic("the key was sent to " + r.URL.String())
			}
		}
		if r.URL.Path == "/redirect" {
			return body(r, http.StatusFound, http.Header{"Location": {r.URL.Query().Get("to")}}, ""), nil
		}
		return body(r, http.StatusOK, http.Header{"Content-Type": {r.URL.Query().Get("type")}}, "abc"), nil
	})
	return &finder{Activities: a, connection: a.connections[asteroid.DefaultConnection], waited: time.Hour, listings: map[string]func() (*listing, error){}}
}

// FuzzReferences opens arbitrary references. The finder never panics, never reads outside of the
// root, never sends a request to another host, never repeats a query in an error, and fails only
// with an error type of package asteroid.
func FuzzReferences(f *testing.F) {
	find := newFuzzedFinder(f)
	root := "file://" + find.roots[0]
	for _, uri := range []string{
		"", ":", "//x", "/etc/passwd", "\x00", "x", "ftp://x/y", "http://x/y", "s3://x/y", "mem://x/there", "mem:there", "mem://x/%2e%2e", "mem://user:topsecret@x/there",
		"data:,x", "data:text/csv;base64,YQ==", "data:;base64,!", "data:%zz", "data:a\r\nb,x", "DATA:,%00",
		"/a.txt", "/d/b", "/l", "/up/o/secret", "/o/secret", "/in", "/null", "/../o/secret", "/%2e%2e/o/secret", "/..%2fo%2fsecret", "/d/../../secret", "-secret",
		"/a.txt%00", "/a.txt?x", "/a.txt#", "/d", "", "/", "/" + strings.Repeat("n", 300), `\..\secret`, "/up/secret", "/up/r/a.txt",
		"file:///etc/passwd", "file:/etc/passwd", "file:etc/passwd", "FILE:////etc/passwd", "file://user:topsecret@/etc/passwd", "file:///dev/null", "file:///proc/self/environ",
		"https://files.example.com/x", "https://FILES.example.com./x?signature=topsecret", "https://127.0.0.1/", "https://[::ffff:127.0.0.1]/", "https://2130706433/",
		"https://files.example.com/redirect?to=https://127.0.0.1/", "https://files.example.com/redirect?to=http://files.example.com/",
		"https://files.example.com/redirect?to=%25zz", "https://files.example.com/redirect?to=/redirect", "https://files.example.com/?type=a%0d%0ab", "https://files.example.com:1/%zz",
		"https://files.example.com@127.0.0.1/", "https://127.0.0.1#@files.example.com/", `https://127.0.0.1\@files.example.com/`, "https:files.example.com", "https://files.example.com%2f.evil.com/",
		"asteroid-execution://e/downloads/x", "asteroid-execution://e/downloads/y", "asteroid-execution://e/../x", "asteroid-execution://../downloads/x", "asteroid-execution://e:1/downloads/x",
		"asteroid-execution://e/downloads/%00", "asteroid-execution:e/downloads/x",
	} {
		if uri == "" || strings.HasPrefix(uri, "/") || strings.HasPrefix(uri, "-") || strings.HasPrefix(uri, `\`) {
			f.Add(root+uri, "name.txt", "")
		}
		f.Add(uri, "", "")
		f.Add(uri, "../\r\n\x00\"", "text/plain")
		f.Add(uri, ".", "text/plain\r\nX-Evil: 1")
	}
	f.Fuzz(func(t *testing.T, uri, name, contentType string) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		found, err := find.find(ctx, "files[0]", asteroid.FileRef{URI: uri, Name: name, ContentType: contentType})
		requireAsteroidError(t, err)
		if strings.HasPrefix(strings.ToLower(uri), "https:") || strings.HasPrefix(strings.ToLower(uri), "mem:") {
			_, err := find.find(ctx, "files[0]", asteroid.FileRef{URI: uri + "?signature=topsecret", Name: name})
			requireAsteroidError(t, err)
			if err != nil && !strings.Contains(uri, "topsecret") {
				require.NotContains(t, err.Error(), "topsecret")
			}
		}
		if err != nil {
			return
		}
		require.Regexp(t, `^[ -~]+$`, found.ContentType)
		require.Regexp(t, `^[A-Za-z0-9._+() -]{1,210}$`, files.UniqueNames([]string{found.Name})[0])
		scheme, _, _ := strings.Cut(strings.ToLower(uri), ":")
		require.Contains(t, []string{"file", "data", "https", "mem", asteroid.ExecutionScheme}, scheme)
		if scheme != "file" {
			return
		}
		opened, err := found.Open(ctx)
		require.NoError(t, err)
		content, err := io.ReadAll(opened)
		require.NoError(t, err)
		require.NoError(t, opened.Close())
		require.Equal(t, "inside", string(content))
	})
}

// requireAsteroidError checks that err is nil or has one of the error types of the finder.
func requireAsteroidError(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	var application *temporal.ApplicationError
	require.ErrorAs(t, err, &application)
	require.Contains(t, []string{asteroid.ErrorTypeInvalidInput, asteroid.ErrorTypeNotFound, asteroid.ErrorTypeUnauthorized, asteroid.ErrorTypeUnavailable}, application.Type())
	require.Less(t, len(err.Error()), 2000)
}
