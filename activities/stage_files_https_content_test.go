package activities_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/worker"
)

// compressed returns content in a coding.
func compressed(t *testing.T, coding, content string) string {
	t.Helper()
	var buffer bytes.Buffer
	var writer io.WriteCloser = gzip.NewWriter(&buffer)
	if coding == "deflate" {
		writer = zlib.NewWriter(&buffer)
	}
	_, err := io.WriteString(writer, content)
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	return buffer.String()
}

func reprDigest(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

func TestStageFilesHTTPSDecodesContentEncoding(t *testing.T) {
	t.Parallel()
	csv := "a,b\n" + strings.Repeat("1,2\n", 50_000)
	gzipped := compressed(t, "gzip", csv)
	for name, row := range map[string]struct {
		path, encoding, contentType, body string
		digest                            string
		sent                              string // empty: fails
		errorType, says                   string
	}{
		"gzip":                       {"/report.csv", "gzip", "text/csv", gzipped, "", csv, "", ""},
		"x-gzip":                     {"/report.csv", "X-GZIP", "", gzipped, "", csv, "", ""},
		"two members":                {"/report.csv", "gzip", "", gzipped + gzipped, "", csv + csv, "", ""},
		"deflate":                    {"/report.csv", "deflate", "", compressed(t, "deflate", csv), "", csv, "", ""},
		"identity":                   {"/report.csv", "identity", "", csv, "", csv, "", ""},
		"S3":                         {"/report.csv", "aws-chunked", "", csv, "", csv, "", ""},
		"S3 and gzip":                {"/report.csv", "gzip,aws-chunked", "", gzipped, "", csv, "", ""},
		"an archive":                 {"/report.csv.gz", "gzip", "", gzipped, "", gzipped, "", ""},
		"an archive by type":         {"/report", "gzip", "application/x-gzip", gzipped, "", gzipped, "", ""},
		"digest of the encoded":      {"/report.csv", "gzip", "", gzipped, reprDigest(gzipped), csv, "", ""},
		"not that digest":            {"/report.csv", "gzip", "", gzipped, reprDigest("x"), "", unavailable, "arrived altered"},
		"brotli":                     {"/report.csv", "br", "", gzipped, "", "", invalidInput, "the encoding br, which is not decoded"},
		"twice":                      {"/report.csv", "gzip, gzip", "", gzipped, "", "", invalidInput, "the encoding gzip, gzip"},
		"not gzip":                   {"/report.csv", "gzip", "", csv, "", "", invalidInput, "is not the gzip that its Content-Encoding states"},
		"cut":                        {"/report.csv", "gzip", "", gzipped[:len(gzipped)/2], "", "", invalidInput, "is not the gzip that its Content-Encoding states"},
		"garbage behind it":          {"/report.csv", "gzip", "", gzipped + "garbage", "", "", invalidInput, "is not the gzip"},
		"a bomb beyond the quota":    {"/report.csv", "gzip", "", compressed(t, "gzip", strings.Repeat("x", 2<<20)), "", "", invalidInput, "exceeds the 1048576 bytes"},
		"a bomb beyond HTTPS limits": {"/limited.csv", "gzip", "", compressed(t, "gzip", strings.Repeat("x", 900_000)), "", "", invalidInput, "more than the 800000 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			uploads := newUploadServer(t)
			base, https := serveHTTPS(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Encoding", row.encoding)
				w.Header().Set("Content-Type", row.contentType)
				if row.digest != "" {
					w.Header().Set("Repr-Digest", row.digest)
				}
				serveRanges(w, r, `"v1"`, []byte(row.body))
			})
			if strings.HasPrefix(row.path, "/limited") {
				https.MaxBytes = 800_000
			}
			staged, err := stageFiles(t, worker.Options{Connections: uploads.connections, HTTPS: https, MaxUploadBytes: 1 << 20},
				asteroid.FileRef{URI: base + row.path})
			if row.sent == "" {
				requireErrorType(t, row.errorType, err)
				require.ErrorContains(t, err, row.says)
				require.Empty(t, uploads.complete())
				return
			}
			require.NoError(t, err)
			require.Equal(t, row.sent, string(uploads.complete()[0].content))
			require.EqualValues(t, len(row.sent), staged.Files[0].Size)
		})
	}
}

func TestStageFilesHTTPSVerifiesPublishedDigests(t *testing.T) {
	t.Parallel()
	for header, values := range map[string][2]string{ // right and wrong ones
		"Repr-Digest":           {reprDigest("content"), reprDigest("other")},
		"Content-Digest":        {reprDigest("content"), reprDigest("other")},
		"Digest":                {strings.ReplaceAll(reprDigest("content"), ":", ""), "md5=" + strings.Repeat("A", 22) + "=="},
		"X-Amz-Checksum-Sha256": {strings.Trim(reprDigest("content")[8:], ":"), strings.Trim(reprDigest("other")[8:], ":")},
	} {
		for i, value := range values {
			uploads := newUploadServer(t)
			base, https := serveHTTPS(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set(header, value)
				serveRanges(w, r, `"v1"`, []byte("content"))
			})
			_, err := stageFiles(t, worker.Options{Connections: uploads.connections, HTTPS: https}, asteroid.FileRef{URI: base + "/a.bin"})
			if i == 0 {
				require.NoError(t, err, header)
				continue
			}
			requireErrorType(t, unavailable, err)
			require.ErrorContains(t, err, "arrived altered")
			require.Empty(t, uploads.complete())
		}
	}
}

func TestStageFilesHTTPSNamesFilesAsTheHostDoes(t *testing.T) {
	t.Parallel()
	uploads := newUploadServer(t)
	base, https := serveHTTPS(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/pdf")
		w.Header().Set("Content-Disposition", r.URL.Query().Get("disposition"))
		_, _ = io.WriteString(w, "content")
	})
	staged, err := stageFiles(t, worker.Options{Connections: uploads.connections, HTTPS: https},
		asteroid.FileRef{URI: base + `/download?disposition=attachment%3B+filename%3D%22Invoice+7.pdf%22`},
		asteroid.FileRef{URI: base + `/download?disposition=attachment%3B+filename*%3DUTF-8''Invoice%25208.pdf`},
		asteroid.FileRef{URI: base + `/download?id=7`},
		asteroid.FileRef{URI: base + `/download?disposition=attachment%3B+filename%3D%22Invoice+7.pdf%22`, Name: "own.pdf"},
	)
	require.NoError(t, err)
	var names []string
	for _, file := range staged.Files {
		names = append(names, file.Name)
	}
	require.Equal(t, []string{"Invoice 7.pdf", "Invoice 8.pdf", "download.pdf", "own.pdf"}, names)
}

// A file that changes within one second keeps its Last-Modified. A resume must not join two of its
// versions.
func TestStageFilesHTTPSResumesOnlyWithStrongValidator(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC().Truncate(time.Second)
	for name, row := range map[string]struct {
		header http.Header
		ranged bool // the rest is requested by a range
	}{
		"a strong ETag":                {http.Header{"Etag": {`"v"`}}, true},
		"a weak ETag":                  {http.Header{"Etag": {`W/"v"`}}, false},
		"an old Last-Modified":         {http.Header{"Last-Modified": {now.Add(-time.Hour).Format(http.TimeFormat)}}, true},
		"a Last-Modified just now":     {http.Header{"Last-Modified": {now.Format(http.TimeFormat)}}, false},
		"a Last-Modified to come":      {http.Header{"Last-Modified": {now.Add(time.Hour).Format(http.TimeFormat)}}, false},
		"a weak ETag, and an old date": {http.Header{"Etag": {`W/"v"`}, "Last-Modified": {now.Add(-time.Hour).Format(http.TimeFormat)}}, true},
		"nothing":                      {http.Header{}, false},
		"an ETag without quotes":       {http.Header{"Etag": {`v`}}, false},
		"a date that is none":          {http.Header{"Last-Modified": {"yesterday"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			uploads, seen := newUploadServer(t), &requestLog{}
			first, second := bytes.Repeat([]byte("1"), 1000), bytes.Repeat([]byte("2"), 1000)
			base, https := serveHTTPS(t, func(w http.ResponseWriter, r *http.Request) {
				nth := seen.add(r)
				maps.Copy(w.Header(), row.header)
				w.Header().Set("Date", now.Format(http.TimeFormat))
				switch {
				case nth == 1: // the probe
					w.Header().Set("Content-Length", "1000")
					_, _ = w.Write(first)
				case nth == 2:
					w.Header().Set("Content-Length", "1000")
					abortAfter(w, first[:600])
				case r.Header.Get("Range") != "" && r.Header.Get("If-Range") != "":
					w.Header().Set("Content-Range", "bytes 600-999/1000")
					w.Header().Set("Content-Length", "400")
					w.WriteHeader(http.StatusPartialContent)
					_, _ = w.Write(first[600:])
				default:
					w.Header().Set("Content-Length", strconv.Itoa(len(second)))
					_, _ = w.Write(second)
				}
			})
			_, err := stageFiles(t, worker.Options{Connections: uploads.connections, HTTPS: https}, asteroid.FileRef{URI: base + "/a.bin"})
			require.Equal(t, row.ranged, seen.all()[2].Get("Range") != "")
			if row.ranged {
				require.NoError(t, err)
				require.Equal(t, first, uploads.complete()[0].content)
				return
			}
			requireErrorType(t, unavailable, err)
			require.ErrorContains(t, err, "it changed while it was being fetched")
			require.Empty(t, uploads.complete())
		})
	}
}

func TestSaveFilesRefusesEncodedDownloads(t *testing.T) {
	t.Parallel()
	gzipped := compressed(t, "gzip", "a,b\n1,2\n")
	for _, size := range []int{len(gzipped), 8} { // the listed size is that of either form
		files := &executionFiles{
			listing: listDownloads(fileJSON("1", "downloads", "/downloads/report.csv", "report.csv", size)),
			serve: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Encoding", "gzip")
				_, _ = io.WriteString(w, gzipped)
			},
		}
		_, err := newSaveFiles(t, files.start(t), "e-1", t.TempDir(), asteroid.FileSelection{}).next()
		requireErrorType(t, invalidInput, err)
		require.ErrorContains(t, err, "arrives with the Content-Encoding gzip")
	}
}

func TestStageFilesHTTPSErrorsRepeatLittleOfMalformedResponses(t *testing.T) {
	t.Parallel()
	for _, header := range []string{strings.Repeat("x", 60_000), "\u202e" + strings.Repeat("ü", 20_000), "Transfer-Encoding: " + strings.Repeat("y", 50_000)} {
		base, https := serveHTTPS(t, rawResponse(t, "HTTP/1.1 200 OK\r\n"+header+"\r\n\r\n"))
		_, err := stageFiles(t, worker.Options{Connections: expectNoRequest(t), HTTPS: https}, asteroid.FileRef{URI: base + "/a.bin"})
		requireErrorType(t, unavailable, err)
		require.Less(t, len(err.Error()), 1000)
		require.NotContains(t, err.Error(), "\u202e")
	}
}
