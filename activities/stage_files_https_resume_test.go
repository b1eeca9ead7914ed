package activities_test

import (
	"bytes"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/worker"
)

func TestStageFilesHTTPSResumesBrokenFetch(t *testing.T) {
	t.Parallel()
	whole := patternBytes(1 << 20)
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
		serve func(w http.ResponseWriter, r *http.Request, nth int) // the requests after the probe
		fails string
		asked []string // Range and If-Range of those requests
	}{
		"with ranges": {
			func(w http.ResponseWriter, r *http.Request, nth int) {
				if nth == 1 {
					promise(w, `"1"`)
					abortAfter(w, whole[:half])
				}
				serveRanges(w, r, `"1"`, whole)
			}, "", []string{" ", `bytes=524288- "1"`},
		},
		"again and again": {
			func(w http.ResponseWriter, r *http.Request, nth int) {
				if nth == 1 {
					promise(w, `"1"`)
					abortAfter(w, whole[:half])
				}
				if nth < 10 {
					begin := half + (nth-2)*1000
					require.Equal(t, "bytes="+strconv.Itoa(begin)+"-", r.Header.Get("Range"))
					w.Header().Set("Content-Range", "bytes "+strconv.Itoa(begin)+"-1048575/1048576")
					w.Header().Set("Content-Length", strconv.Itoa(1<<20-begin))
					w.WriteHeader(http.StatusPartialContent)
					abortAfter(w, whole[begin:begin+1000])
				}
				serveRanges(w, r, `"1"`, whole)
			}, "", nil,
		},
		"by the time of the last change": {
			func(w http.ResponseWriter, r *http.Request, nth int) {
				w.Header().Set("Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT")
				if nth == 1 {
					promise(w, `W/"weak"`)
					abortAfter(w, whole[:half])
				}
				http.ServeContent(w, r, "", time.Date(2015, 10, 21, 7, 28, 0, 0, time.UTC), bytes.NewReader(whole))
			}, "", []string{" ", "bytes=524288- Wed, 21 Oct 2015 07:28:00 GMT"},
		},
		"without ranges, started over": {
			func(w http.ResponseWriter, _ *http.Request, nth int) {
				promise(w, `"1"`)
				if nth == 1 {
					abortAfter(w, whole[:half])
				}
				_, _ = w.Write(whole)
			}, "", []string{" ", `bytes=524288- "1"`},
		},
		"without a validator, started over": {
			func(w http.ResponseWriter, r *http.Request, nth int) {
				if nth == 1 {
					promise(w, "")
					abortAfter(w, whole[:half])
				}
				serveRanges(w, r, "", whole)
			}, "", []string{" ", " "},
		},
		"without a validator, and altered": {
			func(w http.ResponseWriter, r *http.Request, nth int) {
				if nth == 1 {
					promise(w, "")
					abortAfter(w, whole[:half])
				}
				serveRanges(w, r, "", altered)
			}, changed, nil,
		},
		"another version": {
			func(w http.ResponseWriter, r *http.Request, nth int) {
				if nth == 1 {
					promise(w, `"1"`)
					abortAfter(w, whole[:half])
				}
				serveRanges(w, r, `"2"`, altered)
			}, changed, nil,
		},
		"a part of another version": {
			func(w http.ResponseWriter, _ *http.Request, nth int) {
				if nth == 1 {
					promise(w, `"1"`)
					abortAfter(w, whole[:half])
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
					abortAfter(w, whole[:half])
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
					abortAfter(w, whole[:half])
				}
				w.Header().Set("Content-Range", "bytes 524287-1048575/1048576")
				w.WriteHeader(http.StatusPartialContent)
				_, _ = w.Write(whole[half-1:])
			}, changed, nil,
		},
		"shorter than at the probe": {
			func(w http.ResponseWriter, r *http.Request, _ int) { serveRanges(w, r, `"1"`, whole[:half]) }, changed, nil,
		},
		"truncated for good": {
			func(w http.ResponseWriter, r *http.Request, _ int) {
				if r.Header.Get("Range") != "" {
					w.Header().Set("Content-Range", "bytes 524288-1048575/1048576")
					w.Header().Set("Content-Length", "524288")
					w.WriteHeader(http.StatusPartialContent)
					abortAfter(w, nil)
				}
				promise(w, `"1"`)
				abortAfter(w, whole[:half])
			}, "unexpected EOF", []string{" ", `bytes=524288- "1"`, `bytes=524288- "1"`, `bytes=524288- "1"`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			uploads, seen := newUploadServer(t), &requestLog{}
			base, options := serveHTTPS(t, func(w http.ResponseWriter, r *http.Request) {
				if nth := seen.add(r); nth > 1 {
					row.serve(w, r, nth-1)
					return
				}
				serveRanges(w, r, "", whole)
			})
			_, err := stageFiles(t, worker.Options{Connections: uploads.connections, HTTPS: options}, asteroid.FileRef{URI: base + "/x.bin"})
			var asked []string
			for _, header := range seen.all()[1:] {
				asked = append(asked, header.Get("Range")+" "+header.Get("If-Range"))
			}
			if row.asked != nil {
				require.Equal(t, row.asked, asked)
			}
			if row.fails != "" {
				requireErrorType(t, asteroid.ErrorTypeUnavailable, err)
				require.ErrorContains(t, err, row.fails)
				require.ErrorContains(t, err, "files[0].uri")
				require.Empty(t, uploads.complete())
				return
			}
			require.NoError(t, err)
			require.Equal(t, sha256Hex(whole), sha256Hex(uploads.complete()[0].content))
		})
	}
}

func TestStageFilesHTTPSAcceptsUnknownSizeBrokenAtEnd(t *testing.T) {
	t.Parallel()
	whole := patternBytes(1000)
	uploads, seen := newUploadServer(t), &requestLog{}
	base, options := serveHTTPS(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		switch seen.add(r) {
		case 1:
			_ = http.NewResponseController(w).Flush()
			_, _ = w.Write(whole)
		case 2:
			abortAfter(w, whole) // the chunked body lacks its last chunk
		default:
			require.Equal(t, "bytes=1000-", r.Header.Get("Range"))
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(whole)) // 416
		}
	})
	_, err := stageFiles(t, worker.Options{Connections: uploads.connections, HTTPS: options}, asteroid.FileRef{URI: base + "/x.bin"})
	require.NoError(t, err)
	require.Equal(t, whole, uploads.complete()[0].content)
}

func TestStageFilesHTTPSGivesUpOnOneByteResponses(t *testing.T) {
	t.Parallel()
	uploads, seen := newUploadServer(t), &requestLog{}
	base, options := serveHTTPS(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		if nth := seen.add(r); nth == 1 {
			serveRanges(w, r, `"1"`, patternBytes(1<<20))
		} else if nth == 2 {
			w.Header().Set("Content-Length", "1048576")
		} else {
			w.Header().Set("Content-Range", "bytes "+strconv.Itoa(nth-2)+"-1048575/1048576")
			w.Header().Set("Content-Length", strconv.Itoa(1<<20-nth+2))
			w.WriteHeader(http.StatusPartialContent)
		}
		abortAfter(w, []byte("x"))
	})
	_, err := stageFiles(t, worker.Options{Connections: uploads.connections, HTTPS: options}, asteroid.FileRef{URI: base + "/x.bin"})
	requireErrorType(t, asteroid.ErrorTypeUnavailable, err)
	require.Len(t, seen.all(), 101)
}
