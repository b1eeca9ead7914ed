package activities_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/worker"
)

func TestStageFilesHTTPSStreamsFromAnyHost(t *testing.T) {
	t.Parallel()
	big := patternBytes(3 << 20)
	for name, row := range map[string]struct {
		serve   http.HandlerFunc
		content []byte
		known   bool // the size is known before the upload
	}{
		"with ranges": {func(w http.ResponseWriter, r *http.Request) { serveRanges(w, r, `"1"`, big) }, big, true},
		"without ranges": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "3145728")
			_, _ = w.Write(big)
		}, big, true},
		"size unknown": {func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).Flush()
			_, _ = w.Write(big)
		}, big, false},
		"size of the whole unknown": {func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") == "" {
				_ = http.NewResponseController(w).Flush()
				_, _ = w.Write(big)
				return
			}
			w.Header().Set("Content-Range", "bytes 0-511/*")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(big[:512])
		}, big, false},
		"empty, with ranges":    {func(w http.ResponseWriter, r *http.Request) { serveRanges(w, r, `"1"`, nil) }, nil, true},
		"empty, without ranges": {func(http.ResponseWriter, *http.Request) {}, nil, true},
		"empty, 416 without a total": {func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") != "" {
				w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			}
		}, nil, true},
		"small": {func(w http.ResponseWriter, r *http.Request) { serveRanges(w, r, "", big[:3]) }, big[:3], true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			uploads, seen := newUploadServer(t), &requestLog{}
			base, options := serveHTTPS(t, func(w http.ResponseWriter, r *http.Request) { seen.add(r); row.serve(w, r) })
			staged, err := stageFiles(t, worker.Options{Connections: uploads.connections, HTTPS: options}, asteroid.FileRef{URI: base + "/some%20folder/data.csv?signature=x"})
			require.NoError(t, err)
			require.EqualValues(t, len(row.content), staged.Files[0].Size)
			require.Equal(t, "data.csv", staged.Files[0].Name)
			require.Len(t, uploads.complete(), 1)
			require.Equal(t, sha256Hex(row.content), sha256Hex(uploads.complete()[0].content))
			require.Equal(t, row.known, uploads.complete()[0].length > 0)
			require.Equal(t, "bytes=0-511", seen.all()[0].Get("Range"), "the first request is a probe")
			require.Equal(t, "/some%20folder/data.csv?signature=x", seen.all()[0].Get(":path"))
			for _, header := range seen.all() {
				require.Equal(t, "identity", header.Get("Accept-Encoding"))
				for name := range header {
					require.NotContains(t, strings.ToLower(name), "key")
				}
			}
		})
	}
}

func TestStageFilesHTTPSContentType(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ given, header, path, content, want string }{
		{"text/x-own", "text/csv", "/a.pdf", "", "text/x-own"},
		{"", "text/csv; charset=utf-8", "/a.pdf", "", "text/csv; charset=utf-8"},
		{"", "application/octet-stream", "/a.pdf", "", "application/pdf"},
		{"", "nonsense", "/a.xlsx", "", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
		{"", "binary/octet-stream", "/a", "%PDF-1.7", "application/pdf"},
		{"", "binary/octet-stream", "/", "\x00\x01", "application/octet-stream"},
	} {
		uploads := newUploadServer(t)
		base, options := serveHTTPS(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", row.header)
			_, _ = io.WriteString(w, row.content)
		})
		_, err := stageFiles(t, worker.Options{Connections: uploads.connections, HTTPS: options}, asteroid.FileRef{URI: base + row.path, ContentType: row.given})
		require.NoError(t, err)
		require.Equal(t, row.want, uploads.complete()[0].contentType)
	}
}

func TestStageFilesHTTPSErrorTypeFollowsStatus(t *testing.T) {
	t.Parallel()
	for status, errorType := range map[int]string{
		400: asteroid.ErrorTypeInvalidInput, 401: asteroid.ErrorTypeUnauthorized, 403: asteroid.ErrorTypeUnauthorized, 404: asteroid.ErrorTypeNotFound,
		408: asteroid.ErrorTypeUnavailable, 410: asteroid.ErrorTypeNotFound, 429: asteroid.ErrorTypeUnavailable, 500: asteroid.ErrorTypeUnavailable,
		503: asteroid.ErrorTypeUnavailable, 204: asteroid.ErrorTypeInvalidInput, 206: asteroid.ErrorTypeInvalidInput, 300: asteroid.ErrorTypeInvalidInput,
	} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			uploads := newUploadServer(t)
			base, options := serveHTTPS(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(status)
			})
			_, err := stageFiles(t, worker.Options{Connections: uploads.connections, HTTPS: options}, asteroid.FileRef{URI: base + "/x.bin?signature=topsecret"})
			requireErrorType(t, errorType, err)
			require.ErrorContains(t, err, "files[0].uri")
			require.NotContains(t, err.Error(), "topsecret")
			details, _ := asteroid.DetailsOf(err)
			require.Equal(t, "files[0].uri", details.Field)
			application := applicationError(t, err)
			require.Equal(t, errorType != asteroid.ErrorTypeUnavailable, application.NonRetryable())
			if errorType == asteroid.ErrorTypeUnavailable {
				require.Equal(t, 7*time.Second, application.NextRetryDelay())
			}
			require.Empty(t, uploads.complete())
		})
	}
}

func TestStageFilesHTTPSRejectsFileBeyondMaxBytes(t *testing.T) {
	t.Parallel()
	for _, known := range []bool{true, false} {
		uploads, seen := newUploadServer(t), &requestLog{}
		base, options := serveHTTPS(t, func(w http.ResponseWriter, r *http.Request) {
			seen.add(r)
			if known {
				serveRanges(w, r, "", patternBytes(1001))
				return
			}
			_ = http.NewResponseController(w).Flush()
			_, _ = w.Write(patternBytes(1001))
		})
		options.MaxBytes = 1000
		_, err := stageFiles(t, worker.Options{Connections: uploads.connections, HTTPS: options}, asteroid.FileRef{URI: base + "/x"})
		requireErrorType(t, asteroid.ErrorTypeInvalidInput, err)
		require.ErrorContains(t, err, "1000")
		require.Empty(t, uploads.complete())
		if known {
			require.Len(t, seen.all(), 1)
		}
		options.MaxBytes = 1001
		_, err = stageFiles(t, worker.Options{Connections: uploads.connections, HTTPS: options}, asteroid.FileRef{URI: base + "/x"})
		require.NoError(t, err)
	}
}

func TestStageFilesHTTPSRejectsUnlistedHosts(t *testing.T) {
	t.Parallel()
	uploads, seen := newUploadServer(t), &requestLog{}
	base, options := serveHTTPS(t, func(w http.ResponseWriter, r *http.Request) {
		seen.add(r)
		if to := r.URL.Query().Get("to"); to != "" {
			http.Redirect(w, r, to, http.StatusFound)
		}
	})
	for _, row := range []struct {
		hosts    []string
		uri      string
		requests int
		fails    string
	}{
		{[]string{"127.0.0.1"}, base + "/x", 2, ""},
		{[]string{"other.example", "127.0.0.1"}, base + "/x?to=/y", 4, ""},
		{[]string{"example.com"}, base + "/x", 0, "HTTPSOptions.Hosts"},
		{[]string{".0.1"}, base + "/x", 2, ""},
		{[]string{".example.com"}, "https://example.com/x", 0, "HTTPSOptions.Hosts"},
		{[]string{".example.com"}, "https://badexample.com/x", 0, "HTTPSOptions.Hosts"},
		{[]string{"127.0.0.1"}, base + "/x?to=https://elsewhere.example/?topsecret", 1, "HTTPSOptions.Hosts"},
		{[]string{"127.0.0.1"}, base + "/x?to=" + strings.Replace(base, "127.0.0.1", "localhost", 1), 1, "HTTPSOptions.Hosts"},
	} {
		options.Hosts = row.hosts
		before := len(seen.all())
		_, err := stageFiles(t, worker.Options{Connections: uploads.connections, HTTPS: options}, asteroid.FileRef{URI: row.uri})
		if row.fails == "" {
			require.NoError(t, err)
		} else {
			requireErrorType(t, asteroid.ErrorTypeInvalidInput, err)
			require.ErrorContains(t, err, row.fails)
			require.NotContains(t, err.Error(), "topsecret")
		}
		require.Len(t, seen.all(), before+row.requests, row.uri)
	}
}

func TestStageFilesHTTPSRedirectCarriesNoRefererOrCookie(t *testing.T) {
	t.Parallel()
	uploads, seen := newUploadServer(t), &requestLog{}
	base, options := serveHTTPS(t, func(w http.ResponseWriter, r *http.Request) {
		seen.add(r)
		if r.URL.Path == "/first" {
			http.SetCookie(w, &http.Cookie{Name: "a", Value: "b", Secure: true, HttpOnly: true})
			http.Redirect(w, r, "/second", http.StatusFound)
		}
	})
	_, err := stageFiles(t, worker.Options{Connections: uploads.connections, HTTPS: options}, asteroid.FileRef{URI: base + "/first?signature=topsecret"})
	require.NoError(t, err)
	redirected := 0
	for _, header := range seen.all() {
		if header.Get(":path") != "/second" {
			continue
		}
		redirected++
		require.NotContains(t, header, "Referer")
		require.NotContains(t, header, "Cookie")
		require.NotContains(t, header, "Authorization")
	}
	require.Equal(t, 2, redirected)
}

func TestStageFilesHTTPSLimitsRedirects(t *testing.T) {
	t.Parallel()
	uploads, seen := newUploadServer(t), &requestLog{}
	base, options := serveHTTPS(t, func(w http.ResponseWriter, r *http.Request) {
		seen.add(r)
		http.Redirect(w, r, "/again?signature=topsecret", http.StatusFound)
	})
	_, err := stageFiles(t, worker.Options{Connections: uploads.connections, HTTPS: options}, asteroid.FileRef{URI: base})
	requireErrorType(t, asteroid.ErrorTypeInvalidInput, err)
	require.ErrorContains(t, err, "redirected more than 5 times")
	require.NotContains(t, err.Error(), "topsecret")
	require.Len(t, seen.all(), 6)
}

func TestStageFilesHTTPSTimesOut(t *testing.T) {
	t.Parallel()
	seen := &requestLog{}
	base, options := serveHTTPS(t, func(w http.ResponseWriter, r *http.Request) {
		if seen.add(r) == 1 {
			serveRanges(w, r, `"1"`, patternBytes(1000))
			return
		}
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write(patternBytes(10))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	options.Timeout = 100 * time.Millisecond
	_, err := stageFiles(t, worker.Options{Connections: newUploadServer(t).connections, HTTPS: options}, asteroid.FileRef{URI: base + "/x"})
	requireErrorType(t, asteroid.ErrorTypeUnavailable, err)
	require.ErrorContains(t, err, "not fetched within 100ms")
	require.Len(t, seen.all(), 2)
}

func TestStageFilesHTTPSCanBeDisabled(t *testing.T) {
	t.Parallel()
	_, err := stageFiles(t, worker.Options{Connections: newUploadServer(t).connections, HTTPS: asteroid.HTTPSOptions{Disabled: true}}, asteroid.FileRef{URI: "https://example.com/x"})
	requireErrorType(t, asteroid.ErrorTypeInvalidInput, err)
	require.ErrorContains(t, err, "Disabled")
}
