package activities_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
)

// listFiles runs ListFiles once.
func listFiles(t *testing.T, connections map[string]asteroid.Connection, id string, selection asteroid.FileSelection) (*asteroid.ListFilesResult, error) {
	t.Helper()
	env := newEnv(t, worker.Options{Connections: connections, SettleInterval: time.Millisecond})
	env.SetTestTimeout(time.Minute)
	return runActivity[asteroid.ListFilesResult](env, asteroid.ListFilesName, asteroid.ListFilesInput{ExecutionID: id, FileSelection: selection})
}

func TestListFilesSelectsByDirectoryAndName(t *testing.T) {
	t.Parallel()
	write := func(directory, name string) testsuite.Step {
		return testsuite.WriteFile(directory, name, "text/plain", []byte(name))
	}
	api, _, id := newCompletedExecution(t, nil, write("downloads", "b.pdf"), write("downloads", "a.csv"), write("downloads", "c-1.csv"),
		write("workspace", "a.csv"), write("shared", "state.json"), write("debug", "log"))
	for _, row := range []struct {
		directories, names []string
		want               string
	}{
		{nil, nil, "downloads/a.csv downloads/b.pdf downloads/c-1.csv"},
		{nil, []string{"*.csv"}, "downloads/a.csv downloads/c-1.csv"},
		{nil, []string{"c-?.csv", "*.pdf"}, "downloads/b.pdf downloads/c-1.csv"},
		{[]string{"workspace", "downloads"}, []string{"a.*"}, "downloads/a.csv workspace/a.csv"},
		{[]string{"shared", "debug", "uploads"}, nil, "debug/log shared/state.json"},
		{[]string{"unheard-of"}, nil, ""},
		{nil, []string{"none"}, ""},
	} {
		listed, err := listFiles(t, connect(api), id, asteroid.FileSelection{Directories: row.directories, Names: row.names})
		require.NoError(t, err)
		var got []string
		for _, file := range listed.Files {
			got = append(got, file.Directory+"/"+file.Name)
			require.Equal(t, asteroid.ExecutionFileURI(id, file.Directory, file.Name), file.URI)
			require.EqualValues(t, len(file.Name), file.Size)
			require.Equal(t, "text/plain", file.ContentType)
			require.Empty(t, file.SHA256)
		}
		require.Equal(t, row.want, strings.Join(got, " "))
		require.NotNil(t, listed.Files)
	}
	for _, selection := range []asteroid.FileSelection{
		{Directories: []string{""}}, {Directories: []string{"a/b"}}, {Directories: []string{`a\b`}}, {Names: []string{"["}}, {Names: []string{"a/*"}},
	} {
		before := len(api.Requests())
		_, err := listFiles(t, connect(api), id, selection)
		requireErrorType(t, invalidInput, err)
		require.Len(t, api.Requests(), before)
	}
}

func TestListFilesWaitsForBackgroundSync(t *testing.T) {
	t.Parallel()
	api, clock, id := newCompletedExecution(t, []testsuite.Option{testsuite.WithFileSyncDelay(time.Minute)}, writeDownload("late.txt", []byte("x")))
	var listings atomic.Int32
	listed, err := listFiles(t, connectThrough(api, func(r *http.Request) error {
		if strings.HasSuffix(r.URL.Path, "/files") && listings.Add(1) == 2 {
			clock.Advance(time.Minute) // between the first listing and the second
		}
		return nil
	}), id, asteroid.FileSelection{})
	require.NoError(t, err)
	require.Len(t, listed.Files, 1)
	require.EqualValues(t, 3, listings.Load(), "until two agree")
}

func TestListFilesRepeatsUntilFilesAreStable(t *testing.T) {
	t.Parallel()
	at := func(size int, updated string) string {
		file := fileJSON("f", "downloads", "/downloads/x", "x", size)
		return listDownloads(strings.Replace(file, "}", `,"updatedAt":"`+updated+`"}`, 1))
	}
	const early, late = "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"
	answers := []string{at(1, early), at(2, early), at(2, late), at(2, late), "none more"}
	var asked atomic.Int32
	listed, err := listFiles(t, serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/activities") {
			_, _ = io.WriteString(w, "[]")
			return
		}
		_, _ = io.WriteString(w, answers[asked.Add(1)-1])
	}), "e-1", asteroid.FileSelection{})
	require.NoError(t, err)
	require.EqualValues(t, 2, listed.Files[0].Size)
	require.EqualValues(t, 4, asked.Load())
}

func TestListFilesWaitsForFilesNamedInLog(t *testing.T) {
	t.Parallel()
	const late = 7
	for name, row := range map[string]struct {
		log      string // the body of the log's response
		status   int
		names    []string
		listings int32
	}{
		"added":          {`[{"id":"1","executionId":"e-1","timestamp":"2026-01-02T03:04:05Z","payload":{"activityType":"file_added","fileName":"x","source":"agent"}}]`, 200, nil, late + 1},
		"selected":       {`[{"id":"1","executionId":"e-1","timestamp":"2026-01-02T03:04:05Z","payload":{"activityType":"file_added","fileName":"x","source":"agent"}}]`, 200, []string{"x*"}, late + 1},
		"not selected":   {`[{"id":"1","executionId":"e-1","timestamp":"2026-01-02T03:04:05Z","payload":{"activityType":"file_added","fileName":"x","source":"agent"}}]`, 200, []string{"y"}, 2},
		"uploaded":       {`[{"id":"1","executionId":"e-1","timestamp":"2026-01-02T03:04:05Z","payload":{"activityType":"file_added","fileName":"x","source":"upload"}}]`, 200, nil, 2},
		"something else": {`[{"id":"1","executionId":"e-1","timestamp":"2026-01-02T03:04:05Z","payload":{"activityType":"reasoning","reasoning":"x"}}]`, 200, nil, 2},
		"no log":         {"gone", 404, nil, 2},
		"forbidden log":  {"no", 403, nil, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var listings atomic.Int32
			_, err := listFiles(t, serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case strings.HasSuffix(r.URL.Path, "/activities"):
					w.WriteHeader(row.status)
					_, _ = io.WriteString(w, row.log)
				case listings.Add(1) < late:
					_, _ = io.WriteString(w, `{"directories":{}}`)
				default:
					_, _ = io.WriteString(w, listDownloads(fileJSON("f", "downloads", "/downloads/x", "x", 1)))
				}
			}), "e-1", asteroid.FileSelection{Names: row.names})
			require.NoError(t, err)
			require.Equal(t, row.listings, listings.Load())
		})
	}
}

func TestListFilesReportsUnreadableLogOrListingAsUnavailable(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{"ExecutionActivitiesGet", "ExecutionFilesGet"} {
		api, _, id := newCompletedExecution(t, nil)
		api.Inject(operation, testsuite.Answer(500, ""), 1)
		_, err := listFiles(t, connect(api), id, asteroid.FileSelection{})
		requireErrorType(t, unavailable, err)
	}
}

func TestListFilesRejectsMoreThanAThousandFiles(t *testing.T) {
	t.Parallel()
	var files []string
	for i := range 1001 {
		name := fmt.Sprintf("%04d", i)
		files = append(files, fileJSON(name, "downloads", "/downloads/"+name, name, 1))
	}
	connections := (&executionFiles{listing: listDownloads(files...)}).start(t)
	_, err := listFiles(t, connections, "e-1", asteroid.FileSelection{})
	requireErrorType(t, invalidInput, err)
	require.ErrorContains(t, err, "1001")
	listed, err := listFiles(t, connections, "e-1", asteroid.FileSelection{Names: []string{"0*"}})
	require.NoError(t, err)
	require.Len(t, listed.Files, 1000)
}

func TestListFilesReferencesCanBeStagedWhateverTheirNames(t *testing.T) {
	t.Parallel()
	names := []string{"a b", "a%20b", "a#b", "a?b", "a;b", "ä€", "..", ".", "a:b", "@", "[x]", `a\b`, "a\nb", "-", "//x", "a//b", "../../x"}
	contents := map[string]string{}
	var files []string
	for i, name := range names {
		id := fmt.Sprint("f", i)
		contents[id] = name
		files = append(files, fileJSON(id, "downloads", "/downloads/"+name, name, len(name)))
	}
	connections := (&executionFiles{listing: listDownloads(files...), serve: serveContents(contents)}).start(t)
	listed, err := listFiles(t, connections, "e-1", asteroid.FileSelection{})
	require.NoError(t, err)
	staged, err := stageFiles(t, worker.Options{Connections: connections}, asteroid.References(listed.Files)...)
	require.NoError(t, err)
	require.Len(t, staged.Files, len(names))
	for i, file := range listed.Files {
		require.Equal(t, file.Size, staged.Files[i].Size)
	}
}
