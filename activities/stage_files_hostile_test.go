package activities_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
)

func TestStageFilesRejectsHostileReferencesBeforeSending(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	root, outside := filepath.Join(parent, "root"), filepath.Join(parent, "outside")
	require.NoError(t, os.Mkdir(root, 0o700))
	require.NoError(t, os.Mkdir(outside, 0o700))
	writeFile(t, parent, "root-secret.txt", "secret")
	writeFile(t, outside, "secret.txt", "secret")
	writeFile(t, root, "fine.txt", "fine")
	require.NoError(t, os.Mkdir(filepath.Join(root, "folder"), 0o700))
	for link, target := range map[string]string{
		"absolute": filepath.Join(outside, "secret.txt"), "relative": "../outside/secret.txt", "folder-out": outside, "up": "..", "loop": "loop",
		"dangling": "nowhere", "to-device": "/dev/null", "to-root-itself": ".",
	} {
		require.NoError(t, os.Symlink(target, filepath.Join(root, link)))
	}
	big := writeFile(t, root, "big.bin", strings.Repeat("x", 600))
	api := testsuite.NewAPI(t)
	options := worker.Options{Connections: connect(api), FileRoots: []string{root, "/dev"}, MaxUploadBytes: 1000}

	rows := map[string]string{
		// Outside of the root.
		"file://" + root + "/../outside/secret.txt":           invalidInput,
		"file://" + root + "/folder/../../outside/secret.txt": invalidInput,
		"file://" + root + "/%2e%2e/outside/secret.txt":       invalidInput,
		"file://" + root + "/..%2foutside%2fsecret.txt":       invalidInput,
		"file://" + root + "/%2e%2e%2f%2e%2e%2fetc%2fpasswd":  invalidInput,
		"file://" + root + "/%252e%252e/outside/secret.txt":   notFound, // a folder of that name
		"file://" + root + "-secret.txt":                      invalidInput,
		"file://" + root + "/absolute":                        invalidInput,
		"file://" + root + "/relative":                        invalidInput,
		"file://" + root + "/folder-out/secret.txt":           invalidInput,
		"file://" + root + "/up/outside/secret.txt":           invalidInput,
		"file://" + root + "/to-device":                       invalidInput,
		"file://" + root + "/loop":                            invalidInput,
		"file://" + root + "/dangling":                        notFound,
		"file://" + root + "/fine.txt/more":                   invalidInput,
		"file://" + root + "/" + strings.Repeat("n", 300):     invalidInput,
		"file://" + root + "/fine.txt%00.csv":                 invalidInput,
		"file://" + root + "/fine.txt\x00":                    invalidInput,
		"file://" + root + "/none.txt":                        notFound,
		"file:///etc/passwd":                                  invalidInput,
		"file:////etc/passwd":                                 invalidInput,
		"file:/etc/passwd":                                    invalidInput,
		"file://localhost/etc/passwd":                         invalidInput,
		"FILE:///etc/passwd":                                  invalidInput,
		"file://user:password@" + root + "/fine.txt":          invalidInput,
		"file://host" + root + "/fine.txt":                    invalidInput,
		"file:":                                               invalidInput,
		"file://":                                             invalidInput,
		"file://" + root + "/%zz":                             invalidInput,
		`file://` + root + `\..\outside\secret.txt`:           invalidInput,
		"file://" + root + "/folder":                          invalidInput,
		"file://" + root + "/to-root-itself":                  invalidInput,
		"file://" + root:                                      invalidInput,
		"file:///dev/null":                                    invalidInput,
		"file:///dev/zero":                                    invalidInput,
		"file:///dev/stdin":                                   invalidInput,
		// Not on the public internet.
		"https://127.0.0.1/x":                                invalidInput,
		"https://127.0.0.1:8443/x":                           invalidInput,
		"https://localhost/x":                                invalidInput,
		"https://[::1]/x":                                    invalidInput,
		"https://[::]/x":                                     invalidInput,
		"https://0.0.0.0/x":                                  invalidInput,
		"https://[::ffff:127.0.0.1]/x":                       invalidInput,
		"https://[::ffff:7f00:1]/x":                          invalidInput,
		"https://[::127.0.0.1]/x":                            invalidInput,
		"https://[64:ff9b::7f00:1]/x":                        invalidInput,
		"https://[2002:7f00:1::]/x":                          invalidInput,
		"https://[fe80::1%25lo]/x":                           invalidInput,
		"https://2130706433/x":                               invalidInput,
		"https://0x7f000001/x":                               invalidInput,
		"https://0177.0.0.1/x":                               invalidInput,
		"https://127.1/x":                                    invalidInput,
		"https://0/x":                                        invalidInput,
		"https://10.0.0.1/x":                                 invalidInput,
		"https://192.168.1.1/x":                              invalidInput,
		"https://169.254.169.254/latest/meta-data/":          invalidInput,
		"https://[::ffff:169.254.169.254]/latest/meta-data/": invalidInput,
		"https://[fd00:ec2::254]/latest/meta-data/":          invalidInput,
		"https://100.100.100.200/latest/meta-data/":          invalidInput,
		"https://168.63.129.16/machine":                      invalidInput,
		// Not a reference.
		"http://example.com/x":                    invalidInput,
		"HTTP://example.com/x":                    invalidInput,
		"ftp://example.com/x":                     invalidInput,
		"gopher://example.com/x":                  invalidInput,
		"s3://bucket/key":                         invalidInput,
		"https://user@example.com/x":              invalidInput,
		"https://user:password@example.com/x":     invalidInput,
		"https:///x":                              invalidInput,
		"https://":                                invalidInput,
		"https:example.com":                       invalidInput,
		"https://example.com/x#fragment":          invalidInput,
		"https://example.com/%00":                 invalidInput,
		"https://exa mple.com/":                   invalidInput,
		"https://example.com\r\nHost: evil/":      invalidInput,
		"":                                        invalidInput,
		":":                                       invalidInput,
		"//example.com/x":                         invalidInput,
		"/etc/passwd":                             invalidInput,
		"javascript:alert(1)":                     invalidInput,
		"\x00":                                    invalidInput,
		"data:":                                   invalidInput,
		"data:text/plain":                         invalidInput,
		"data:text/plain;base64,%00":              invalidInput,
		"data:a\r\nb,x":                           invalidInput,
		"data:," + strings.Repeat("x", 1<<20+1):   invalidInput,
		"asteroid-execution:":                     invalidInput,
		"asteroid-execution://":                   invalidInput,
		"asteroid-execution://e/":                 invalidInput,
		"asteroid-execution://e/downloads":        invalidInput,
		"asteroid-execution://e/downloads/":       invalidInput,
		"asteroid-execution://../downloads/x":     invalidInput,
		"asteroid-execution://e%2f../downloads/x": invalidInput,
		"asteroid-execution://e:80/downloads/x":   invalidInput,
		"asteroid-execution://user@e/downloads/x": invalidInput,
		"asteroid-execution://e/downloads/x?y":    invalidInput,
		"asteroid-execution://e/downloads/x%00":   invalidInput,
	}
	for uri, errorType := range rows {
		t.Run(fmt.Sprintf("%.80q", uri), func(t *testing.T) {
			t.Parallel()
			_, err := stageFiles(t, options, asteroid.FileRef{URI: "data:,fine"}, asteroid.FileRef{URI: uri})
			requireErrorType(t, errorType, err)
			require.ErrorContains(t, err, "files[1].uri")
			require.NotContains(t, err.Error(), "password@")
			require.Less(t, len(err.Error()), 1000)
		})
	}
	many := make([]asteroid.FileRef, 10_000)
	for i := range many {
		many[i].URI = "data:,x"
	}
	for name, refs := range map[string][]asteroid.FileRef{
		"none":                                {},
		"10,000":                              many,
		"1001":                                many[:1001],
		"too much":                            {big, {URI: "data:,fine"}, big},
		"too much inline":                     {{URI: "data:," + strings.Repeat("x", 1001)}},
		"content type":                        {{URI: "data:,x", ContentType: "text"}},
		"control character in a content type": {{URI: "data:,x", ContentType: "text/plain; a=\"\x01\""}},
		"content type beyond ASCII":           {{URI: "data:,x", ContentType: "text/plain; a=\"é\""}},
		"header":                              {{URI: "data:,x", ContentType: "text/plain\r\nX-Evil: 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := stageFiles(t, options, refs...)
			requireErrorType(t, invalidInput, err)
			require.ErrorContains(t, err, "files")
		})
	}
	t.Cleanup(func() { require.Empty(t, api.Requests()) }) // after the parallel subtests
}

func TestStageFilesReportsUnreadableFileAsUnauthorized(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root may read everything")
	}
	dir := t.TempDir()
	ref := writeFile(t, dir, "x", "y")
	require.NoError(t, os.Chmod(filepath.Join(dir, "x"), 0))
	_, err := stageFiles(t, worker.Options{Connections: newUploadServer(t).connections, FileRoots: []string{dir}}, ref)
	requireErrorType(t, unauthorized, err)
}

func TestStageFilesHandlesHostileHTTPSHosts(t *testing.T) {
	t.Parallel()
	raw := func(response string) http.HandlerFunc { return rawResponse(t, response) }
	redirect := func(to string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", strings.ReplaceAll(to, "PORT", r.Host[strings.LastIndex(r.Host, ":")+1:]))
			w.WriteHeader(http.StatusFound)
		}
	}
	chunked := func(w http.ResponseWriter, n int) {
		_ = http.NewResponseController(w).Flush()
		_, _ = w.Write(patternBytes(n))
	}
	announce := func(size string) http.HandlerFunc { // announces size to the probe, then serves 10 bytes
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") == "bytes=0-511" {
				w.Header().Set("Content-Range", "bytes 0-511/"+size)
				w.WriteHeader(http.StatusPartialContent)
				return
			}
			chunked(w, 10)
		}
	}
	for name, row := range map[string]struct {
		serve     http.HandlerFunc
		errorType string
		message   string
	}{
		"redirect to IPv6 loopback":      {redirect("https://[::1]:PORT/"), invalidInput, "public internet"},
		"redirect to a private address":  {redirect("https://10.0.0.1/"), invalidInput, "public internet"},
		"redirect to a metadata service": {redirect("https://169.254.169.254/latest/meta-data/"), invalidInput, "public internet"},
		"redirect to a number":           {redirect("https://2130706433:PORT/"), invalidInput, "number"},
		"redirect by IPv6 translation":   {redirect("https://[64:ff9b::7f00:1]:PORT/"), invalidInput, "public internet"},
		"redirect to http":               {redirect("http://127.0.0.1:PORT/"), invalidInput, "only https"},
		"redirect to a file":             {redirect("file:///etc/passwd"), invalidInput, "only https"},
		"redirect without an address":    {raw("HTTP/1.1 302 Found\r\n\r\n"), invalidInput, "302"},
		"endless body": {func(w http.ResponseWriter, _ *http.Request) {
			for block := patternBytes(1 << 16); ; {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		}, invalidInput, "exceeds the 1048576 bytes"},
		"endless header":                 {raw("HTTP/1.1 200 OK\r\n" + strings.Repeat("A: "+strings.Repeat("a", 1000)+"\r\n", 100) + "\r\n"), unavailable, ""},
		"a length longer than the body":  {raw("HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: 100\r\n\r\n0123456789"), unavailable, "unexpected EOF"},
		"more than announced":            {announce("9"), unavailable, "more than the 9 bytes"},
		"less than announced":            {announce("11"), unavailable, "10 of 11 bytes"},
		"nonsense instead of a range":    {announce("x"), "", ""},
		"a negative size":                {announce("-5"), "", ""},
		"a length shorter than the body": {raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n0123456789"), "", ""}, // the rest is ignored
		"a length beyond the quota":      {raw("HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n0"), invalidInput, "have 1048577 bytes together"},
		"a length beyond every number":   {raw("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n0"), unavailable, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			uploads := newUploadServer(t)
			base, https := serveHTTPS(t, row.serve)
			_, err := stageFiles(t, worker.Options{Connections: uploads.connections, HTTPS: https, MaxUploadBytes: 1 << 20}, asteroid.FileRef{URI: base + "/x"})
			if row.errorType == "" {
				require.NoError(t, err)
				require.Len(t, uploads.complete(), 1)
				return
			}
			requireErrorType(t, row.errorType, err)
			require.ErrorContains(t, err, row.message)
			require.Empty(t, uploads.complete())
		})
	}
}

func TestStageFilesErrorsOmitSecretsOfURIs(t *testing.T) {
	t.Parallel()
	raw := func(response string) http.HandlerFunc { return rawResponse(t, response) }
	for name, serve := range map[string]http.HandlerFunc{
		"no answer":         raw(""),
		"no HTTP":           raw("https://x/?topsecret\r\n\r\n"),
		"redirect nowhere":  raw("HTTP/1.1 302 Found\r\nLocation: https://x/%zz?topsecret\r\n\r\n"),
		"broken header":     raw("HTTP/1.1 302 Found\r\nLocation https://x/?topsecret\r\n\r\n"),
		"redirect to http":  raw("HTTP/1.1 302 Found\r\nLocation: http://x/?topsecret\r\n\r\n"),
		"redirect to local": raw("HTTP/1.1 302 Found\r\nLocation: https://[::1]/?topsecret\r\n\r\n"),
		"cut off":           raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ntopsecret"),
		"user and password": raw("HTTP/1.1 302 Found\r\nLocation: https://user:topsecret@[::1]/\r\n\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base, options := serveHTTPS(t, serve)
			_, err := stageFiles(t, worker.Options{Connections: newUploadServer(t).connections, HTTPS: options}, asteroid.FileRef{URI: base + "/x?signature=topsecret"})
			require.Error(t, err)
			require.NotContains(t, err.Error(), "topsecret")
			require.True(t, asteroid.IsUnavailable(err) || asteroid.IsInvalidInput(err), "%v", err)
		})
	}
	for _, uri := range []string{
		"https://x/%zz?topsecret", "https://x/#?topsecret", "https://x/a?topsecret#b", "https:x?topsecret", "https://user:topsecret@x/", "https://us er:topsecret@x/",
		"https://user:top?topsecret@x/", "x?topsecret", "https://x/%00?topsecret", "http://x/?topsecret", "https://?topsecret", "https://1/?topsecret",
		"asteroid-execution://e/downloads?topsecret", "asteroid-execution://e/downloads/x?topsecret", "file:///x?topsecret", "file:x?topsecret", "s3://x/%zz?topsecret",
	} {
		_, err := stageFiles(t, worker.Options{Connections: newUploadServer(t).connections}, asteroid.FileRef{URI: uri})
		requireErrorType(t, asteroid.ErrorTypeInvalidInput, err)
		require.NotContains(t, err.Error(), "topsecret")
	}
}
