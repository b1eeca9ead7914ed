package activities_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	sdkworker "go.temporal.io/sdk/worker"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/activities"
	"github.com/temporal-asteroid/asteroid/worker"
)

func TestFilesAreUploadedAFewAtATime(t *testing.T) {
	t.Parallel()
	var now, most atomic.Int32
	var four sync.WaitGroup // the first four wait for each other
	four.Add(4)
	var arrived atomic.Int32
	env := newEnv(t, worker.Options{Connections: canned(t, func(w http.ResponseWriter, r *http.Request) {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		if arrived.Add(1) <= 4 {
			four.Done()
			four.Wait()
		}
		_, _ = io.Copy(io.Discard, r.Body)
		now.Add(-1)
		_ = json.NewEncoder(w).Encode(map[string]any{"tempFiles": []map[string]string{{"id": "t-1", "name": "a"}}})
	})})
	var in asteroid.StageFilesInput
	for i := range 12 {
		in.Files = append(in.Files, asteroid.FileRef{URI: "data:,x", Name: fmt.Sprint(i)})
	}
	_, err := env.ExecuteActivity(asteroid.StageFilesName, in)
	require.NoError(t, err)
	require.EqualValues(t, 4, most.Load())
}

func TestACancelledActivityEndsAsCancelled(t *testing.T) {
	t.Parallel()
	began := make(chan struct{})
	ctx, cancel := context.WithCancelCause(context.Background())
	env := newEnvWith(t, worker.Options{Connections: canned(t, func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
	})}, sdkworker.Options{BackgroundActivityContext: ctx})
	go func() { <-began; cancel(temporal.NewCanceledError()) }()
	_, err := env.ExecuteActivity(asteroid.GetExecutionName, asteroid.GetExecutionInput{ExecutionID: "e-1"})
	var cancelled *temporal.CanceledError
	require.ErrorAs(t, err, &cancelled)
}

func TestAServiceThatDoesNotAnswerIsGivenUpAfterTheRequestTimeout(t *testing.T) {
	t.Parallel()
	env := newEnv(t, worker.Options{RequestTimeout: 20 * time.Millisecond, Connections: canned(t, func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
	})})
	_, err := env.ExecuteActivity(asteroid.GetExecutionName, asteroid.GetExecutionInput{ExecutionID: "e-1"})
	require.True(t, asteroid.IsUnavailable(err), "%v", err)
	require.Contains(t, err.Error(), "no answer within 20ms")
}

func TestAReasonIsThatOfTheStatusItself(t *testing.T) {
	t.Parallel()
	env := newEnv(t, worker.Options{Connections: canned(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/activities") {
			_, _ = io.WriteString(w, `[
				{"id":"1","executionId":"e-1","timestamp":"2026-01-02T03:04:07Z","payload":{"activityType":"status_changed","status":"running"}},
				{"id":"2","executionId":"e-1","timestamp":"2026-01-02T03:04:06Z","payload":{"activityType":"status_changed","status":"paused","pausedPayload":{"reason":"lunch"}}},
				{"id":"3","executionId":"e-1","timestamp":"2026-01-02T03:04:05Z","payload":{"activityType":"status_changed","status":"failed","failedPayload":{"reason":"broken","os_error":{"message":"disk full"}}}}]`)
			return
		}
		_, _ = io.WriteString(w, executionJSON("failed"))
	})})
	execution, err := run[asteroid.Execution](env, asteroid.GetExecutionName, asteroid.GetExecutionInput{ExecutionID: "e-1"})
	require.NoError(t, err)
	require.Equal(t, "broken (disk full)", execution.Reason)
}

func TestAnEndWhoseReasonCannotBeReadNowIsAskedAgainForAMinute(t *testing.T) {
	t.Parallel()
	clock := newClock()
	wait := newWait(t, worker.Options{Now: clock.Now, Connections: canned(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/activities") {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_, _ = io.WriteString(w, executionJSON("cancelled"))
	})}, asteroid.AwaitExecutionInput{ExecutionID: "e-1"})
	require.True(t, asteroid.IsStillRunning(wait.err()))
	clock.pass(time.Minute)
	execution, err := wait.next()
	require.NoError(t, err)
	require.Equal(t, asteroid.StatusCancelled, execution.Status)
}

func TestAnOlderServiceIsAskedForItsContext(t *testing.T) {
	t.Parallel()
	connections := canned(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/whoami"):
			http.NotFound(w, r)
		case strings.HasSuffix(r.URL.Path, "/context"):
			_, _ = io.WriteString(w, `{"userId":"u","email":"e","organizations":[{"id":"org-7","name":"Seven"}]}`)
		case strings.HasSuffix(r.URL.Path, "/temp-files/org-7"):
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, `{"tempFiles":[{"id":"t-1","name":"a"}]}`)
		default:
			t.Errorf("unexpected %s", r.URL.Path)
		}
	})
	c := connections[asteroid.DefaultConnection]
	c.OrganizationID = ""
	_, err := newEnv(t, worker.Options{Connections: one(c)}).ExecuteActivity(asteroid.StageFilesName,
		asteroid.StageFilesInput{Files: []asteroid.FileRef{{URI: "data:,x"}}})
	require.NoError(t, err)
}

func TestADefaultTransportThatIsNotTheStandardOneIsUsedAsItIs(t *testing.T) {
	standard := http.DefaultTransport
	http.DefaultTransport = wrapped{standard}
	t.Cleanup(func() { http.DefaultTransport = standard })
	_, err := activities.New(activities.Options{Connections: one(asteroid.Connection{APIKey: asteroid.StaticAPIKey("test-key")})})
	require.NoError(t, err)
}

type wrapped struct{ http.RoundTripper }

func TestUploadsAreCheckedByNameThenBySize(t *testing.T) {
	t.Parallel()
	clock := newClock()
	files := []asteroid.StagedFile{{ID: "1", Name: "a b.csv", Size: 5}, {ID: "2", Name: "c.csv", Size: 7}, {ID: "3", Name: "d.csv", Size: 5}}
	check := &retries[asteroid.CheckUploadsResult]{
		t: t, name: asteroid.CheckUploadsName, in: asteroid.CheckUploadsInput{ExecutionID: "e-1", Files: files},
		options: worker.Options{Now: clock.Now, Connections: canned(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"directories":{"downloads":[{"id":"9","directory":"downloads","filePath":"x","fileName":"x","fileSize":5}],
				"uploads":[{"id":"8","directory":"uploads","filePath":"c.csv","fileName":"c.csv","fileSize":7},{"id":"7","directory":"uploads","filePath":"a_b.csv","fileName":"a_b.csv","fileSize":5}]}}`)
		})},
	}
	require.True(t, asteroid.IsStillRunning(check.err()), "uploads may be listed late")
	clock.pass(3 * time.Minute)
	checked, err := check.next()
	require.NoError(t, err)
	require.Equal(t, []string{"d.csv"}, checked.Missing)
}

func TestKeptFilesAreInEveryHeartbeat(t *testing.T) {
	t.Parallel()
	env := newEnv(t, worker.Options{Connections: canned(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"tempFiles":[{"id":"t-1","name":"a"}]}`)
	})})
	kept := asteroid.StagedFile{ID: "k", Name: "c.txt", ExpiresAt: time.Now().Add(time.Hour)}
	env.SetHeartbeatDetails(asteroid.Progress[asteroid.StagedFile]{Done: map[string]asteroid.StagedFile{"2": kept}})
	beats := make(chan asteroid.Progress[asteroid.StagedFile], 10)
	env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) {
		var beat asteroid.Progress[asteroid.StagedFile]
		_ = details.Get(&beat)
		beats <- beat
	})
	_, err := env.ExecuteActivity(asteroid.StageFilesName, asteroid.StageFilesInput{Files: []asteroid.FileRef{
		{URI: "data:,a"}, {URI: "data:,b"}, {URI: "data:,c", Name: "c.txt"},
	}})
	require.NoError(t, err)
	beat := <-beats
	require.Contains(t, beat.Done, "2")
	require.Equal(t, 2, beat.TotalFiles)
}

func TestAFileURIWithAFragmentOrQueryIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ref := writeFile(t, dir, "report", "x")
	writeFile(t, dir, "report#1.csv", "y")
	env := newEnv(t, worker.Options{FileRoots: []string{dir}, Connections: canned(t, func(http.ResponseWriter, *http.Request) { t.Error("something was sent") })})
	for _, suffix := range []string{"#1.csv", "?v=2", "#", "?"} {
		_, err := env.ExecuteActivity(asteroid.StageFilesName, asteroid.StageFilesInput{Files: []asteroid.FileRef{{URI: ref.URI + suffix}}})
		require.True(t, asteroid.IsInvalidInput(err), "%v", err)
		require.Contains(t, err.Error(), "%23")
	}
}

func TestLegalDataURIsAreTaken(t *testing.T) {
	t.Parallel()
	for uri, contentType := range map[string]string{
		"data:,x":                         "text/plain;charset=US-ASCII",
		"data:;charset=utf-8,h%C3%A9":     "text/plain;charset=utf-8",
		"data:;base64,YQ":                 "text/plain;charset=US-ASCII",
		"data:text/csv;base64,YSxiCg==":   "text/csv",
		"DATA:application/json,%7B%7D":    "application/json",
		"data:text/plain;x=y;base64,YQ==": "text/plain;x=y",
	} {
		env := newEnv(t, worker.Options{Connections: canned(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, `{"tempFiles":[{"id":"t-1","name":"a"}]}`)
		})})
		staged, err := run[asteroid.StageFilesResult](env, asteroid.StageFilesName, asteroid.StageFilesInput{Files: []asteroid.FileRef{{URI: uri}}})
		require.NoError(t, err, uri)
		require.Equal(t, contentType, staged.Files[0].ContentType)
	}
}

func TestARefusalThatOnlyMentionsFilesIsWhatItIs(t *testing.T) {
	t.Parallel()
	for status, is := range map[int]func(error) bool{413: asteroid.IsInvalidInput, 429: asteroid.IsAtCapacity, 400: asteroid.IsInvalidInput} {
		env := newEnv(t, worker.Options{Connections: canned(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "temp files exceed the limit of 200 MB")
		})})
		_, err := env.ExecuteActivity(asteroid.ExecuteAgentName, asteroid.ExecuteAgentInput{AgentID: "a-1"})
		require.True(t, is(err), "%d: %v", status, err)
	}
}
