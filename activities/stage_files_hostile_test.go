package activities_test

import (
	"fmt"
	"io"
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
		// Out of the root.
		"file://" + root + "/../outside/secret.txt":           badInput,
		"file://" + root + "/folder/../../outside/secret.txt": badInput,
		"file://" + root + "/%2e%2e/outside/secret.txt":       badInput,
		"file://" + root + "/..%2foutside%2fsecret.txt":       badInput,
		"file://" + root + "/%2e%2e%2f%2e%2e%2fetc%2fpasswd":  badInput,
		"file://" + root + "/%252e%252e/outside/secret.txt":   missing, // a folder of that name
		"file://" + root + "-secret.txt":                      badInput,
		"file://" + root + "/absolute":                        badInput,
		"file://" + root + "/relative":                        badInput,
		"file://" + root + "/folder-out/secret.txt":           badInput,
		"file://" + root + "/up/outside/secret.txt":           badInput,
		"file://" + root + "/to-device":                       badInput,
		"file://" + root + "/loop":                            badInput,
		"file://" + root + "/dangling":                        missing,
		"file://" + root + "/fine.txt/more":                   badInput,
		"file://" + root + "/" + strings.Repeat("n", 300):     badInput,
		"file://" + root + "/fine.txt%00.csv":                 badInput,
		"file://" + root + "/fine.txt\x00":                    badInput,
		"file://" + root + "/none.txt":                        missing,
		"file:///etc/passwd":                                  badInput,
		"file:////etc/passwd":                                 badInput,
		"file:/etc/passwd":                                    badInput,
		"file://localhost/etc/passwd":                         badInput,
		"FILE:///etc/passwd":                                  badInput,
		"file://user:password@" + root + "/fine.txt":          badInput,
		"file://host" + root + "/fine.txt":                    badInput,
		"file:":                                               badInput,
		"file://":                                             badInput,
		"file://" + root + "/%zz":                             badInput,
		`file://` + root + `\..\outside\secret.txt`:           badInput,
		"file://" + root + "/folder":                          badInput,
		"file://" + root + "/to-root-itself":                  badInput,
		"file://" + root:                                      badInput,
		"file:///dev/null":                                    badInput,
		"file:///dev/zero":                                    badInput,
		"file:///dev/stdin":                                   badInput,
		// Not on the public internet.
		"https://127.0.0.1/x":                                badInput,
		"https://127.0.0.1:8443/x":                           badInput,
		"https://localhost/x":                                badInput,
		"https://[::1]/x":                                    badInput,
		"https://[::]/x":                                     badInput,
		"https://0.0.0.0/x":                                  badInput,
		"https://[::ffff:127.0.0.1]/x":                       badInput,
		"https://[::ffff:7f00:1]/x":                          badInput,
		"https://[::127.0.0.1]/x":                            badInput,
		"https://[64:ff9b::7f00:1]/x":                        badInput,
		"https://[2002:7f00:1::]/x":                          badInput,
		"https://[fe80::1%25lo]/x":                           badInput,
		"https://2130706433/x":                               badInput,
		"https://0x7f000001/x":                               badInput,
		"https://0177.0.0.1/x":                               badInput,
		"https://127.1/x":                                    badInput,
		"https://0/x":                                        badInput,
		"https://10.0.0.1/x":                                 badInput,
		"https://192.168.1.1/x":                              badInput,
		"https://169.254.169.254/latest/meta-data/":          badInput,
		"https://[::ffff:169.254.169.254]/latest/meta-data/": badInput,
		"https://[fd00:ec2::254]/latest/meta-data/":          badInput,
		"https://100.100.100.200/latest/meta-data/":          badInput,
		"https://168.63.129.16/machine":                      badInput,
		// Not what a reference is.
		"http://example.com/x":                    badInput,
		"HTTP://example.com/x":                    badInput,
		"ftp://example.com/x":                     badInput,
		"gopher://example.com/x":                  badInput,
		"s3://bucket/key":                         badInput,
		"https://user@example.com/x":              badInput,
		"https://user:password@example.com/x":     badInput,
		"https:///x":                              badInput,
		"https://":                                badInput,
		"https:example.com":                       badInput,
		"https://example.com/x#fragment":          badInput,
		"https://example.com/%00":                 badInput,
		"https://exa mple.com/":                   badInput,
		"https://example.com\r\nHost: evil/":      badInput,
		"":                                        badInput,
		":":                                       badInput,
		"//example.com/x":                         badInput,
		"/etc/passwd":                             badInput,
		"javascript:alert(1)":                     badInput,
		"\x00":                                    badInput,
		"data:":                                   badInput,
		"data:text/plain":                         badInput,
		"data:text/plain;base64,%00":              badInput,
		"data:a\r\nb,x":                           badInput,
		"data:," + strings.Repeat("x", 1<<20+1):   badInput,
		"asteroid-execution:":                     badInput,
		"asteroid-execution://":                   badInput,
		"asteroid-execution://e/":                 badInput,
		"asteroid-execution://e/downloads":        badInput,
		"asteroid-execution://e/downloads/":       badInput,
		"asteroid-execution://../downloads/x":     badInput,
		"asteroid-execution://e%2f../downloads/x": badInput,
		"asteroid-execution://e:80/downloads/x":   badInput,
		"asteroid-execution://user@e/downloads/x": badInput,
		"asteroid-execution://e/downloads/x?y":    badInput,
		"asteroid-execution://e/downloads/x%00":   badInput,
	}
	for uri, errorType := range rows {
		t.Run(fmt.Sprintf("%.80q", uri), func(t *testing.T) {
			t.Parallel()
			_, err := stage(t, options, asteroid.FileRef{URI: "data:,fine"}, asteroid.FileRef{URI: uri})
			requireType(t, errorType, err)
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
			_, err := stage(t, options, refs...)
			requireType(t, badInput, err)
			require.ErrorContains(t, err, "files")
		})
	}
	t.Cleanup(func() { require.Empty(t, api.Requests()) }) // after the parallel rows
}

func TestStageFilesReportsUnreadableFileAsUnauthorized(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root may read everything")
	}
	dir := t.TempDir()
	ref := writeFile(t, dir, "x", "y")
	require.NoError(t, os.Chmod(filepath.Join(dir, "x"), 0))
	_, err := stage(t, worker.Options{Connections: newSink(t).connections, FileRoots: []string{dir}}, ref)
	requireType(t, closed, err)
}

func TestStageFilesHandlesHostileHTTPSHosts(t *testing.T) {
	t.Parallel()
	raw := func(answer string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = conn.Write([]byte(answer))
			_ = conn.Close()
		}
	}
	redirect := func(to string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", strings.ReplaceAll(to, "PORT", r.Host[strings.LastIndex(r.Host, ":")+1:]))
			w.WriteHeader(http.StatusFound)
		}
	}
	chunked := func(w http.ResponseWriter, n int) {
		_ = http.NewResponseController(w).Flush()
		_, _ = w.Write(content(n))
	}
	announce := func(size string) http.HandlerFunc { // at the first look, 10 bytes later
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
		says      string
	}{
		"redirect to IPv6 loopback":      {redirect("https://[::1]:PORT/"), badInput, "public internet"},
		"redirect to a private address":  {redirect("https://10.0.0.1/"), badInput, "public internet"},
		"redirect to a metadata service": {redirect("https://169.254.169.254/latest/meta-data/"), badInput, "public internet"},
		"redirect to a number":           {redirect("https://2130706433:PORT/"), badInput, "number"},
		"redirect by IPv6 translation":   {redirect("https://[64:ff9b::7f00:1]:PORT/"), badInput, "public internet"},
		"redirect to http":               {redirect("http://127.0.0.1:PORT/"), badInput, "only https"},
		"redirect to a file":             {redirect("file:///etc/passwd"), badInput, "only https"},
		"redirect without an address":    {raw("HTTP/1.1 302 Found\r\n\r\n"), badInput, "302"},
		"endless body": {func(w http.ResponseWriter, _ *http.Request) {
			for block := content(1 << 16); ; {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		}, badInput, "goes on beyond the 1048576 bytes"},
		"endless header":                 {raw("HTTP/1.1 200 OK\r\n" + strings.Repeat("A: "+strings.Repeat("a", 1000)+"\r\n", 100) + "\r\n"), passing, ""},
		"a length longer than the body":  {raw("HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: 100\r\n\r\n0123456789"), passing, "unexpected EOF"},
		"more than announced":            {announce("9"), passing, "more than the 9 bytes"},
		"less than announced":            {announce("11"), passing, "10 of 11 bytes"},
		"nonsense instead of a range":    {announce("x"), "", ""},
		"a negative size":                {announce("-5"), "", ""},
		"a length shorter than the body": {raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n0123456789"), "", ""}, // what comes after it belongs to no answer
		"a length beyond the quota":      {raw("HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n0"), badInput, "have 1048577 bytes together"},
		"a length beyond every number":   {raw("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n0"), passing, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink := newSink(t)
			base, https := secure(t, row.serve)
			_, err := stage(t, worker.Options{Connections: sink.connections, HTTPS: https, MaxUploadBytes: 1 << 20}, asteroid.FileRef{URI: base + "/x"})
			if row.errorType == "" {
				require.NoError(t, err)
				require.Len(t, sink.files(), 1)
				return
			}
			requireType(t, row.errorType, err)
			require.ErrorContains(t, err, row.says)
			require.Empty(t, sink.files())
		})
	}
}

func TestStageFilesErrorsOmitSecretsOfURIs(t *testing.T) {
	t.Parallel()
	raw := func(answer string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(conn, answer)
			_ = conn.Close()
		}
	}
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
			base, options := secure(t, serve)
			_, err := stage(t, worker.Options{Connections: newSink(t).connections, HTTPS: options}, asteroid.FileRef{URI: base + "/x?signature=topsecret"})
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
		_, err := stage(t, worker.Options{Connections: newSink(t).connections}, asteroid.FileRef{URI: uri})
		requireType(t, asteroid.ErrorTypeInvalidInput, err)
		require.NotContains(t, err.Error(), "topsecret")
	}
}
