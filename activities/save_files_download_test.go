package activities_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

func TestSaveFilesDropsDamagedDownloads(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		fault   testsuite.Fault
		message string
	}{
		"altered":   {testsuite.AlterBody(), "arrived altered: its sha-256 is"},
		"truncated": {testsuite.TruncateJSON(), "changed"},
		"broken":    {testsuite.ResetMidBody(), ""},
		"refused":   {testsuite.Answer(http.StatusForbidden, ""), "403"},
		"down":      {testsuite.Answer(http.StatusBadGateway, ""), "502"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			whole := patternBytes(100_000)
			api, _, id := newCompletedExecution(t, nil, writeDownload("x", whole))
			root := t.TempDir()
			final := filepath.Join(root, id, "downloads", "x")
			require.NoError(t, os.MkdirAll(filepath.Dir(final), 0o750))
			require.NoError(t, os.WriteFile(final, []byte("of an earlier run"), 0o600))
			api.Inject("Download", row.fault, 1000)
			save := newSaveFiles(t, connect(api), id, root, asteroid.FileSelection{})
			err := save.nextErr()
			requireErrorType(t, unavailable, err)
			require.ErrorContains(t, err, row.message)
			require.ErrorContains(t, err, "downloads/x")
			require.NotContains(t, err.Error(), "signature=")
			details, _ := asteroid.DetailsOf(err)
			require.Equal(t, id, details.ExecutionID)
			require.Equal(t, map[string]string{id + "/downloads/x": "of an earlier run"}, readTree(t, root))

			store := newMemoryStore()
			save.in = asteroid.SaveFilesInput{ExecutionID: id, Destination: "mem://b"}
			save.options.Stores = map[string]asteroid.Store{"mem": store}
			requireErrorType(t, unavailable, save.nextErr())
			require.Empty(t, store.all())
		})
	}
}

func TestSaveFilesResumesDownloadWithFreshLink(t *testing.T) {
	t.Parallel()
	whole := patternBytes(3 << 20)
	api, clock, id := newCompletedExecution(t, []testsuite.Option{testsuite.WithLinkLifetime(10 * time.Second)}, writeDownload("x", whole))
	seen := &requestLog{}
	api.Inject("Download", testsuite.ResetMidBody(), 1)
	root := t.TempDir()
	saved, err := newSaveFiles(t, connectThrough(api, onDownload(seen, func(nth int) error {
		if nth == 2 {
			clock.Advance(11 * time.Second)
		}
		return nil
	})), id, root, asteroid.FileSelection{}).next()
	require.NoError(t, err)
	require.Equal(t, sha256Hex(whole), saved.Files[0].SHA256)
	require.Equal(t, map[string]string{id + "/downloads/x": string(whole)}, readTree(t, root))
	require.Len(t, seen.all(), 3)
	require.NotEmpty(t, seen.all()[2].Get("Range"))
}

func TestSaveFilesComparesServiceChecksum(t *testing.T) {
	t.Parallel()
	const right = "content"
	shared := func(sha, by, name string, size int) string {
		return fmt.Sprintf(`{"id":"s","agentId":"a","filePath":"/shared/x","fileName":%q,"fileSize":%d,"version":1,"checksum":%q,"lastModifiedByExecutionId":%q,
			"createdAt":"2026-01-02T03:04:05Z","updatedAt":"2026-01-02T03:04:05Z","downloadUrl":"x"}`, name, size, sha, by)
	}
	wrong := sha256Hex([]byte("other"))
	for name, row := range map[string]struct {
		shared     string
		status     int
		reprDigest string
		fails      bool
	}{
		"right":                       {shared(sha256Hex([]byte(right)), "e-1", "x", 7), 200, "", false},
		"wrong":                       {shared(wrong, "e-1", "x", 7), 200, "", true},
		"in capitals":                 {shared(strings.ToUpper(wrong), "e-1", "x", 7), 200, "", true},
		"of another run":              {shared(wrong, "e-2", "x", 7), 200, "", false},
		"of another file":             {shared(wrong, "e-1", "y", 7), 200, "", false},
		"of another size":             {shared(wrong, "e-1", "x", 8), 200, "", false},
		"no checksum":                 {shared("", "e-1", "x", 7), 200, "", false},
		"two of the name":             {shared(wrong, "e-1", "x", 7) + "," + shared(sha256Hex([]byte(right)), "e-1", "x", 7), 200, "", false},
		"unknown to an older service": {"", 404, "", false},
		"not now":                     {"", 503, "", true},
		"the host says it is right":   {shared(wrong, "e-1", "x", 7), 200, "sha-256=:7XACtDnprIRfIjV9giusFERzD722AW0+yUMil7nsn3M=:", true},
		"the host says it is wrong":   {"", 200, "sha-256=:" + strings.Repeat("A", 43) + "=:", true},
		"the host knows another sum":  {"", 200, "unknown=:AAAA:", false},
		"the host's sum is no sum":    {"", 200, "sha-256=:AAAA:", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			c := (&executionFiles{
				listing: `{"directories":{"shared":[` + fileJSON("f", "shared", "/shared/x", "x", 7) + `]}}`,
				link:    func(r *http.Request) string { return "http://" + r.Host + "/content" },
			}).start(t)[asteroid.DefaultConnection]
			other := serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case strings.HasSuffix(r.URL.Path, "/shared-files"):
					w.WriteHeader(row.status)
					_, _ = fmt.Fprintf(w, `{"totalSize":7,"files":[%s]}`, row.shared)
				case r.URL.Path == "/content":
					if row.reprDigest != "" {
						w.Header().Set("Repr-Digest", row.reprDigest)
					}
					_, _ = io.WriteString(w, right)
				default:
					_, _ = io.WriteString(w, executionJSON("completed"))
				}
			})[asteroid.DefaultConnection]
			c.Transport = requestHook(func(r *http.Request) error {
				if r.URL.Path == "/content" || strings.HasSuffix(r.URL.Path, "/shared-files") || strings.HasSuffix(r.URL.Path, "/e-1") {
					r.URL.Host = strings.TrimPrefix(other.BaseURL, "http://")
				}
				return nil
			})
			save := newSaveFiles(t, asDefault(c), "e-1", root, asteroid.FileSelection{Directories: []string{"shared"}})
			saved, err := save.next()
			if row.fails {
				requireErrorType(t, unavailable, err)
				require.Empty(t, readTree(t, root))
				return
			}
			require.NoError(t, err)
			require.Equal(t, sha256Hex([]byte(right)), saved.Files[0].SHA256)
		})
	}
}
