package activities_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/activities"
	"github.com/temporal-asteroid/asteroid/worker"
)

var discardLog = log.New(io.Discard, "", 0)

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

func TestAnHTTPSFileIsStreamedFromAnyKindOfHost(t *testing.T) {
	t.Parallel()
	big := content(3 << 20)
	for name, row := range map[string]struct {
		serve   http.HandlerFunc
		content []byte
		known   bool // the size, before it is sent
	}{
		"with ranges": {func(w http.ResponseWriter, r *http.Request) { serveRanges(w, r, `"1"`, big) }, big, true},
		"without ranges": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "3145728")
			_, _ = w.Write(big)
		}, big, true},
		"size not told": {func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).Flush()
			_, _ = w.Write(big)
		}, big, false},
		"size of the whole not told": {func(w http.ResponseWriter, r *http.Request) {
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
			sink, seen := newSink(t), &headerLog{}
			base, options := secure(t, func(w http.ResponseWriter, r *http.Request) { seen.add(r); row.serve(w, r) })
			staged, err := stage(t, worker.Options{Connections: sink.connections, HTTPS: options}, asteroid.FileRef{URI: base + "/some%20folder/data.csv?signature=x"})
			require.NoError(t, err)
			require.EqualValues(t, len(row.content), staged.Files[0].Size)
			require.Equal(t, "data.csv", staged.Files[0].Name)
			require.Len(t, sink.files(), 1)
			require.Equal(t, sum(row.content), sum(sink.files()[0].content))
			require.Equal(t, row.known, sink.files()[0].length > 0)
			require.Equal(t, "bytes=0-511", seen.all()[0].Get("Range"), "first only a look")
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

func TestTheContentTypeOfAnHTTPSFile(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ given, said, path, content, want string }{
		{"text/x-own", "text/csv", "/a.pdf", "", "text/x-own"},
		{"", "text/csv; charset=utf-8", "/a.pdf", "", "text/csv; charset=utf-8"},
		{"", "application/octet-stream", "/a.pdf", "", "application/pdf"},
		{"", "nonsense", "/a.xlsx", "", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
		{"", "binary/octet-stream", "/a", "%PDF-1.7", "application/pdf"},
		{"", "binary/octet-stream", "/", "\x00\x01", "application/octet-stream"},
	} {
		sink := newSink(t)
		base, options := secure(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", row.said)
			_, _ = io.WriteString(w, row.content)
		})
		_, err := stage(t, worker.Options{Connections: sink.connections, HTTPS: options}, asteroid.FileRef{URI: base + row.path, ContentType: row.given})
		require.NoError(t, err)
		require.Equal(t, row.want, sink.files()[0].contentType)
	}
}

func TestAFetchThatBreaksOffIsContinued(t *testing.T) {
	t.Parallel()
	whole := content(1 << 20)
	const half = 1 << 19
	promise := func(w http.ResponseWriter, tag string) {
		w.Header().Set("Content-Length", "1048576")
		if tag != "" {
			w.Header().Set("ETag", tag)
		}
	}
	altered := append(bytes.Repeat([]byte("x"), half), whole[half:]...)
	changed := "it changed while it was being fetched"
	for name, row := range map[string]struct {
		serve func(w http.ResponseWriter, r *http.Request, nth int) // of the requests after the first look
		fails string
		asked []string // Range and If-Range of those requests
	}{
		"with ranges": {
			func(w http.ResponseWriter, r *http.Request, nth int) {
				if nth == 1 {
					promise(w, `"1"`)
					breakOff(w, whole[:half])
				}
				serveRanges(w, r, `"1"`, whole)
			}, "", []string{" ", `bytes=524288- "1"`},
		},
		"again and again": {
			func(w http.ResponseWriter, r *http.Request, nth int) {
				if nth == 1 {
					promise(w, `"1"`)
					breakOff(w, whole[:half])
				}
				if nth < 10 {
					begin := half + (nth-2)*1000
					require.Equal(t, "bytes="+json.Number(jsonInt(begin)).String()+"-", r.Header.Get("Range"))
					w.Header().Set("Content-Range", "bytes "+jsonInt(begin)+"-1048575/1048576")
					w.Header().Set("Content-Length", jsonInt(1<<20-begin))
					w.WriteHeader(http.StatusPartialContent)
					breakOff(w, whole[begin:begin+1000])
				}
				serveRanges(w, r, `"1"`, whole)
			}, "", nil,
		},
		"by the time of the last change": {
			func(w http.ResponseWriter, r *http.Request, nth int) {
				w.Header().Set("Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT")
				if nth == 1 {
					promise(w, `W/"weak"`)
					breakOff(w, whole[:half])
				}
				http.ServeContent(w, r, "", time.Date(2015, 10, 21, 7, 28, 0, 0, time.UTC), bytes.NewReader(whole))
			}, "", []string{" ", "bytes=524288- Wed, 21 Oct 2015 07:28:00 GMT"},
		},
		"without ranges, started over": {
			func(w http.ResponseWriter, _ *http.Request, nth int) {
				promise(w, `"1"`)
				if nth == 1 {
					breakOff(w, whole[:half])
				}
				_, _ = w.Write(whole)
			}, "", []string{" ", `bytes=524288- "1"`},
		},
		"without a validator, started over": {
			func(w http.ResponseWriter, r *http.Request, nth int) {
				if nth == 1 {
					promise(w, "")
					breakOff(w, whole[:half])
				}
				serveRanges(w, r, "", whole)
			}, "", []string{" ", " "},
		},
		"without a validator, and altered": {
			func(w http.ResponseWriter, r *http.Request, nth int) {
				if nth == 1 {
					promise(w, "")
					breakOff(w, whole[:half])
				}
				serveRanges(w, r, "", altered)
			}, changed, nil,
		},
		"another version": {
			func(w http.ResponseWriter, r *http.Request, nth int) {
				if nth == 1 {
					promise(w, `"1"`)
					breakOff(w, whole[:half])
				}
				serveRanges(w, r, `"2"`, altered)
			}, changed, nil,
		},
		"a part of another version": {
			func(w http.ResponseWriter, _ *http.Request, nth int) {
				if nth == 1 {
					promise(w, `"1"`)
					breakOff(w, whole[:half])
				}
				w.Header().Set("ETag", `"2"`)
				w.Header().Set("Content-Range", "bytes 524288-1048575/1048576")
				w.WriteHeader(http.StatusPartialContent)
				_, _ = w.Write(whole[half:])
			}, changed, nil,
		},
		"a part of a longer one": {
			func(w http.ResponseWriter, _ *http.Request, nth int) {
				if nth == 1 {
					promise(w, `"1"`)
					breakOff(w, whole[:half])
				}
				w.Header().Set("Content-Range", "bytes 524288-1048576/1048577")
				w.WriteHeader(http.StatusPartialContent)
				_, _ = w.Write(append(whole[half:], 'x'))
			}, changed, nil,
		},
		"another part than was asked for": {
			func(w http.ResponseWriter, _ *http.Request, nth int) {
				if nth == 1 {
					promise(w, `"1"`)
					breakOff(w, whole[:half])
				}
				w.Header().Set("Content-Range", "bytes 524287-1048575/1048576")
				w.WriteHeader(http.StatusPartialContent)
				_, _ = w.Write(whole[half-1:])
			}, changed, nil,
		},
		"shorter than at the first look": {
			func(w http.ResponseWriter, r *http.Request, _ int) { serveRanges(w, r, `"1"`, whole[:half]) }, changed, nil,
		},
		"truncated for good": {
			func(w http.ResponseWriter, r *http.Request, _ int) {
				if r.Header.Get("Range") != "" {
					w.Header().Set("Content-Range", "bytes 524288-1048575/1048576")
					w.Header().Set("Content-Length", "524288")
					w.WriteHeader(http.StatusPartialContent)
					breakOff(w, nil)
				}
				promise(w, `"1"`)
				breakOff(w, whole[:half])
			}, "unexpected EOF", []string{" ", `bytes=524288- "1"`, `bytes=524288- "1"`, `bytes=524288- "1"`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink, seen := newSink(t), &headerLog{}
			base, options := secure(t, func(w http.ResponseWriter, r *http.Request) {
				if nth := seen.add(r); nth > 1 {
					row.serve(w, r, nth-1)
					return
				}
				serveRanges(w, r, "", whole)
			})
			_, err := stage(t, worker.Options{Connections: sink.connections, HTTPS: options}, asteroid.FileRef{URI: base + "/x.bin"})
			var asked []string
			for _, header := range seen.all()[1:] {
				asked = append(asked, header.Get("Range")+" "+header.Get("If-Range"))
			}
			if row.asked != nil {
				require.Equal(t, row.asked, asked)
			}
			if row.fails != "" {
				requireType(t, asteroid.ErrorTypeUnavailable, err)
				require.ErrorContains(t, err, row.fails)
				require.ErrorContains(t, err, "files[0].uri")
				require.Empty(t, sink.files())
				return
			}
			require.NoError(t, err)
			require.Equal(t, sum(whole), sum(sink.files()[0].content))
		})
	}
}

func jsonInt(n int) string {
	text, _ := json.Marshal(n)
	return string(text)
}

func TestAFileOfUnknownSizeThatBreaksAfterItsLastByteIsWhole(t *testing.T) {
	t.Parallel()
	whole := content(1000)
	sink, seen := newSink(t), &headerLog{}
	base, options := secure(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		switch seen.add(r) {
		case 1:
			_ = http.NewResponseController(w).Flush()
			_, _ = w.Write(whole)
		case 2:
			breakOff(w, whole) // of a chunked answer, whose end is missing
		default:
			require.Equal(t, "bytes=1000-", r.Header.Get("Range"))
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(whole)) // 416
		}
	})
	_, err := stage(t, worker.Options{Connections: sink.connections, HTTPS: options}, asteroid.FileRef{URI: base + "/x.bin"})
	require.NoError(t, err)
	require.Equal(t, whole, sink.files()[0].content)
}

func TestAHostThatSendsAByteAtATimeIsGivenUp(t *testing.T) {
	t.Parallel()
	sink, seen := newSink(t), &headerLog{}
	base, options := secure(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		if nth := seen.add(r); nth == 1 {
			serveRanges(w, r, `"1"`, content(1<<20))
		} else if nth == 2 {
			w.Header().Set("Content-Length", "1048576")
		} else {
			w.Header().Set("Content-Range", "bytes "+jsonInt(nth-2)+"-1048575/1048576")
			w.Header().Set("Content-Length", jsonInt(1<<20-nth+2))
			w.WriteHeader(http.StatusPartialContent)
		}
		breakOff(w, []byte("x"))
	})
	_, err := stage(t, worker.Options{Connections: sink.connections, HTTPS: options}, asteroid.FileRef{URI: base + "/x.bin"})
	requireType(t, asteroid.ErrorTypeUnavailable, err)
	require.Len(t, seen.all(), 101)
}

func TestWhatAnHTTPSHostAnswersBecomesAnErrorType(t *testing.T) {
	t.Parallel()
	for status, errorType := range map[int]string{
		400: asteroid.ErrorTypeInvalidInput, 401: asteroid.ErrorTypeUnauthorized, 403: asteroid.ErrorTypeUnauthorized, 404: asteroid.ErrorTypeNotFound,
		408: asteroid.ErrorTypeUnavailable, 410: asteroid.ErrorTypeNotFound, 429: asteroid.ErrorTypeUnavailable, 500: asteroid.ErrorTypeUnavailable,
		503: asteroid.ErrorTypeUnavailable, 204: asteroid.ErrorTypeInvalidInput, 206: asteroid.ErrorTypeInvalidInput, 300: asteroid.ErrorTypeInvalidInput,
	} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			sink := newSink(t)
			base, options := secure(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(status)
			})
			_, err := stage(t, worker.Options{Connections: sink.connections, HTTPS: options}, asteroid.FileRef{URI: base + "/x.bin?signature=topsecret"})
			requireType(t, errorType, err)
			require.ErrorContains(t, err, "files[0].uri")
			require.NotContains(t, err.Error(), "topsecret")
			details, _ := asteroid.DetailsOf(err)
			require.Equal(t, "files[0].uri", details.Field)
			var application *temporal.ApplicationError
			require.ErrorAs(t, err, &application)
			require.Equal(t, errorType != asteroid.ErrorTypeUnavailable, application.NonRetryable())
			if errorType == asteroid.ErrorTypeUnavailable {
				require.Equal(t, 7*time.Second, application.NextRetryDelay())
			}
			require.Empty(t, sink.files())
		})
	}
}

func TestFilesLargerThanMaxBytesAreNotFetched(t *testing.T) {
	t.Parallel()
	for _, known := range []bool{true, false} {
		sink, seen := newSink(t), &headerLog{}
		base, options := secure(t, func(w http.ResponseWriter, r *http.Request) {
			seen.add(r)
			if known {
				serveRanges(w, r, "", content(1001))
				return
			}
			_ = http.NewResponseController(w).Flush()
			_, _ = w.Write(content(1001))
		})
		options.MaxBytes = 1000
		_, err := stage(t, worker.Options{Connections: sink.connections, HTTPS: options}, asteroid.FileRef{URI: base + "/x"})
		requireType(t, asteroid.ErrorTypeInvalidInput, err)
		require.ErrorContains(t, err, "1000")
		require.Empty(t, sink.files())
		if known {
			require.Len(t, seen.all(), 1)
		}
		options.MaxBytes = 1001
		_, err = stage(t, worker.Options{Connections: sink.connections, HTTPS: options}, asteroid.FileRef{URI: base + "/x"})
		require.NoError(t, err)
	}
}

func TestHostsThatAreNotListedAreNotAsked(t *testing.T) {
	t.Parallel()
	sink, seen := newSink(t), &headerLog{}
	base, options := secure(t, func(w http.ResponseWriter, r *http.Request) {
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
		_, err := stage(t, worker.Options{Connections: sink.connections, HTTPS: options}, asteroid.FileRef{URI: row.uri})
		if row.fails == "" {
			require.NoError(t, err)
		} else {
			requireType(t, asteroid.ErrorTypeInvalidInput, err)
			require.ErrorContains(t, err, row.fails)
			require.NotContains(t, err.Error(), "topsecret")
		}
		require.Len(t, seen.all(), before+row.requests, row.uri)
	}
}

func TestARedirectTellsNothingOfTheAddressThatLedToIt(t *testing.T) {
	t.Parallel()
	sink, seen := newSink(t), &headerLog{}
	base, options := secure(t, func(w http.ResponseWriter, r *http.Request) {
		seen.add(r)
		if r.URL.Path == "/first" {
			http.SetCookie(w, &http.Cookie{Name: "a", Value: "b", Secure: true, HttpOnly: true})
			http.Redirect(w, r, "/second", http.StatusFound)
		}
	})
	_, err := stage(t, worker.Options{Connections: sink.connections, HTTPS: options}, asteroid.FileRef{URI: base + "/first?signature=topsecret"})
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

func TestRedirectsEnd(t *testing.T) {
	t.Parallel()
	sink, seen := newSink(t), &headerLog{}
	base, options := secure(t, func(w http.ResponseWriter, r *http.Request) {
		seen.add(r)
		http.Redirect(w, r, "/again?signature=topsecret", http.StatusFound)
	})
	_, err := stage(t, worker.Options{Connections: sink.connections, HTTPS: options}, asteroid.FileRef{URI: base})
	requireType(t, asteroid.ErrorTypeInvalidInput, err)
	require.ErrorContains(t, err, "redirected more than 5 times")
	require.NotContains(t, err.Error(), "topsecret")
	require.Len(t, seen.all(), 6)
}

func TestNoErrorRepeatsASignature(t *testing.T) {
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

func TestAFetchEndsAfterItsTimeout(t *testing.T) {
	t.Parallel()
	seen := &headerLog{}
	base, options := secure(t, func(w http.ResponseWriter, r *http.Request) {
		if seen.add(r) == 1 {
			serveRanges(w, r, `"1"`, content(1000))
			return
		}
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write(content(10))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	options.Timeout = 100 * time.Millisecond
	_, err := stage(t, worker.Options{Connections: newSink(t).connections, HTTPS: options}, asteroid.FileRef{URI: base + "/x"})
	requireType(t, asteroid.ErrorTypeUnavailable, err)
	require.ErrorContains(t, err, "not fetched within 100ms")
	require.Len(t, seen.all(), 2)
}

func TestHTTPSOptionsThatCannotBeMeantAreRefused(t *testing.T) {
	t.Parallel()
	for _, options := range []asteroid.HTTPSOptions{
		{MaxBytes: -1}, {Timeout: -1}, {Hosts: []string{""}}, {Hosts: []string{"https://x"}}, {Hosts: []string{"x:443"}}, {Hosts: []string{"*.x"}},
		{Networks: []netip.Prefix{{}}},
	} {
		_, err := activities.New(activities.Options{Connections: one(asteroid.Connection{APIKey: asteroid.StaticAPIKey("test-key")}), HTTPS: options})
		require.ErrorContains(t, err, "HTTPS")
	}
}

func TestHTTPSCanBeDisabled(t *testing.T) {
	t.Parallel()
	_, err := stage(t, worker.Options{Connections: newSink(t).connections, HTTPS: asteroid.HTTPSOptions{Disabled: true}}, asteroid.FileRef{URI: "https://example.com/x"})
	requireType(t, asteroid.ErrorTypeInvalidInput, err)
	require.ErrorContains(t, err, "Disabled")
}
