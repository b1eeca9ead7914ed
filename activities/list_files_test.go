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

// list lists a selection of an execution's files.
func list(t *testing.T, connections map[string]asteroid.Connection, id string, selection asteroid.FileSelection) (*asteroid.ListFilesResult, error) {
	t.Helper()
	env := newEnv(t, worker.Options{Connections: connections, SettleInterval: time.Millisecond})
	env.SetTestTimeout(time.Minute)
	return run[asteroid.ListFilesResult](env, asteroid.ListFilesName, asteroid.ListFilesInput{ExecutionID: id, FileSelection: selection})
}

func TestListFilesSelectsByDirectoryAndName(t *testing.T) {
	t.Parallel()
	write := func(directory, name string) testsuite.Step {
		return testsuite.WriteFile(directory, name, "text/plain", []byte(name))
	}
	api, _, id := finished(t, nil, write("downloads", "b.pdf"), write("downloads", "a.csv"), write("downloads", "c-1.csv"),
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
		listed, err := list(t, connect(api), id, asteroid.FileSelection{Directories: row.directories, Names: row.names})
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
		_, err := list(t, connect(api), id, selection)
		requireType(t, badInput, err)
		require.Len(t, api.Requests(), before)
	}
}

func TestListFilesWaitsForBackgroundSync(t *testing.T) {
	t.Parallel()
	api, clock, id := finished(t, []testsuite.Option{testsuite.WithFileSyncDelay(time.Minute)}, download("late.txt", []byte("x")))
	var listings atomic.Int32
	listed, err := list(t, connectThrough(api, func(r *http.Request) error {
		if strings.HasSuffix(r.URL.Path, "/files") && listings.Add(1) == 2 {
			clock.pass(time.Minute) // between the first listing and the second
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
		return `{"directories":{"downloads":[` + strings.Replace(fileJSON("f", "downloads", "/downloads/x", "x", size), "}", `,"updatedAt":"`+updated+`"}`, 1) + `]}}`
	}
	const early, late = "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"
	answers := []string{at(1, early), at(2, early), at(2, late), at(2, late), "none more"}
	var asked atomic.Int32
	listed, err := list(t, canned(t, func(w http.ResponseWriter, r *http.Request) {
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
		log      string // the answer of the log
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
			_, err := list(t, canned(t, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case strings.HasSuffix(r.URL.Path, "/activities"):
					w.WriteHeader(row.status)
					_, _ = io.WriteString(w, row.log)
				case listings.Add(1) < late:
					_, _ = io.WriteString(w, `{"directories":{}}`)
				default:
					_, _ = io.WriteString(w, `{"directories":{"downloads":[`+fileJSON("f", "downloads", "/downloads/x", "x", 1)+`]}}`)
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
		api, _, id := finished(t, nil)
		api.Inject(operation, testsuite.Answer(500, ""), 1)
		_, err := list(t, connect(api), id, asteroid.FileSelection{})
		requireType(t, passing, err)
	}
}

func TestListFilesRejectsMoreThanAThousandFiles(t *testing.T) {
	t.Parallel()
	var files []string
	for i := range 1001 {
		name := fmt.Sprintf("%04d", i)
		files = append(files, fileJSON(name, "downloads", "/downloads/"+name, name, 1))
	}
	connections := listing(t, `{"directories":{"downloads":[`+strings.Join(files, ",")+`]}}`, nil, nil)
	_, err := list(t, connections, "e-1", asteroid.FileSelection{})
	requireType(t, badInput, err)
	require.ErrorContains(t, err, "1001")
	listed, err := list(t, connections, "e-1", asteroid.FileSelection{Names: []string{"0*"}})
	require.NoError(t, err)
	require.Len(t, listed.Files, 1000)
}

func TestListFilesReferencesCanBeStagedWhateverTheirNames(t *testing.T) {
	t.Parallel()
	names := []string{"a b", "a%20b", "a#b", "a?b", "a;b", "ä€", "..", ".", "a:b", "@", "[x]", `a\b`, "a\nb", "-", "//x", "a//b", "../../x"}
	var files []string
	for i, name := range names {
		files = append(files, fileJSON(fmt.Sprint("f", i), "downloads", "/downloads/"+name, name, len(name)))
	}
	connections := listing(t, `{"directories":{"downloads":[`+strings.Join(files, ",")+`]}}`,
		func(r *http.Request) string { return "http://" + r.Host + "/" + strings.Split(r.URL.Path, "/")[6] },
		func(w http.ResponseWriter, r *http.Request) {
			var i int
			_, _ = fmt.Sscanf(r.URL.Path, "/f%d", &i)
			_, _ = io.WriteString(w, names[i])
		})
	listed, err := list(t, connections, "e-1", asteroid.FileSelection{})
	require.NoError(t, err)
	staged, err := stage(t, worker.Options{Connections: connections}, asteroid.References(listed.Files)...)
	require.NoError(t, err)
	require.Len(t, staged.Files, len(names))
	for i, file := range listed.Files {
		require.Equal(t, file.Size, staged.Files[i].Size)
	}
}
