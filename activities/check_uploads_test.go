package activities_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/clienttest"
	"github.com/temporal-asteroid/asteroid/worker"
)

func TestCheckUploadsMatchesByNameThenSize(t *testing.T) {
	t.Parallel()
	clock := clienttest.NewClock()
	files := []asteroid.StagedFile{{ID: "1", Name: "a b.csv", Size: 5}, {ID: "2", Name: "c.csv", Size: 7}, {ID: "3", Name: "d.csv", Size: 5}}
	check := &attempts[asteroid.CheckUploadsResult]{
		t: t, name: asteroid.CheckUploadsName, in: asteroid.CheckUploadsInput{ExecutionID: "e-1", Files: files},
		options: worker.Options{Now: clock.Now, Connections: serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, "/files") {
				_, _ = io.WriteString(w, executionJSON("running"))
				return
			}
			_, _ = io.WriteString(w, `{"directories":{"downloads":[{"id":"9","directory":"downloads","filePath":"x","fileName":"x","fileSize":5}],
				"uploads":[{"id":"8","directory":"uploads","filePath":"c.csv","fileName":"c.csv","fileSize":7},{"id":"7","directory":"uploads","filePath":"a_b.csv","fileName":"a_b.csv","fileSize":5}]}}`)
		})},
	}
	require.True(t, asteroid.IsStillRunning(check.nextErr()), "uploads may be listed late")
	clock.Advance(3 * time.Minute)
	checked, err := check.next()
	require.NoError(t, err)
	require.Equal(t, []string{"d.csv"}, checked.Missing)
}

// The patience begins when the run has started, whatever the worker's clock says.
func TestCheckUploadsCountsFromTheStartOfTheRun(t *testing.T) {
	t.Parallel()
	for name, offset := range map[string]time.Duration{
		"right clock": 0, "fast clock": 125 * time.Second, "slow clock": -125 * time.Second,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock, status := clienttest.NewClock(), "queued"
			check := &attempts[asteroid.CheckUploadsResult]{
				t: t, name: asteroid.CheckUploadsName,
				in: asteroid.CheckUploadsInput{ExecutionID: "e-1", Files: []asteroid.StagedFile{{ID: "1", Name: "a.csv", Size: 5}}},
				options: worker.Options{
					Now: func() time.Time { return clock.Now().Add(offset) },
					Connections: serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
						if strings.HasSuffix(r.URL.Path, "/files") {
							_, _ = io.WriteString(w, `{"directories":{}}`)
							return
						}
						_, _ = io.WriteString(w, executionJSON(status))
					}),
				},
			}
			for _, status = range []string{"queued", "starting", "provisioning", "starting", "running"} {
				require.True(t, asteroid.IsStillRunning(check.nextErr()), status)
				clock.Advance(10 * time.Minute)
			}
			checked, err := check.next()
			require.NoError(t, err)
			require.Equal(t, []string{"a.csv"}, checked.Missing)
		})
	}
}

func TestGetExecutionForgivesAnEarly404ByTheServersClock(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		offset, startDelay time.Duration
		final              bool
	}{
		"fast clock": {61 * time.Second, 0, false},
		"slow clock": {-time.Hour, 61 * time.Second, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			read := &attempts[asteroid.Execution]{
				t: t, name: asteroid.GetExecutionName, in: asteroid.GetExecutionInput{ExecutionID: "e-1"}, startDelay: row.startDelay,
				options: worker.Options{
					Now:         func() time.Time { return time.Now().Add(row.offset) },
					Connections: serveAPI(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }),
				},
			}
			err := read.nextErr()
			require.True(t, asteroid.IsNotFound(err), "%v", err)
			require.Equal(t, row.final, applicationError(t, err).NonRetryable())
		})
	}
}
