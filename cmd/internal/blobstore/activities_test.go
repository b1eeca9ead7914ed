package blobstore_test

import (
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/log"
	sdktestsuite "go.temporal.io/sdk/testsuite"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/activities"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

// worker holds the activities of a worker with the bucket mem://scratch, and their fake API.
type worker struct {
	*sdktestsuite.TestActivityEnvironment
	api     *testsuite.API
	store   asteroid.Store
	elapsed atomic.Int64 // virtual time since the start
}

func newWorker(t *testing.T) *worker {
	t.Helper()
	w := &worker{store: open(t, "mem://scratch")["mem"]}
	begin := time.Now()
	now := func() time.Time { return begin.Add(time.Duration(w.elapsed.Load())) }
	w.api = testsuite.NewAPI(t, testsuite.WithClock(now))
	made, err := activities.New(activities.Options{
		Connections: map[string]asteroid.Connection{
			asteroid.DefaultConnection: {APIKey: asteroid.StaticAPIKey(w.api.APIKey()), BaseURL: w.api.BaseURL()},
		},
		Stores: map[string]asteroid.Store{"mem": w.store}, SettleInterval: time.Millisecond, Now: now,
	})
	require.NoError(t, err)
	var suite sdktestsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	w.TestActivityEnvironment = suite.NewTestActivityEnvironment()
	made.Register(w)
	return w
}

func do[Out any](t *testing.T, w *worker, name string, in any) *Out {
	t.Helper()
	value, err := w.ExecuteActivity(name, in)
	require.NoError(t, err)
	out := new(Out)
	require.NoError(t, value.Get(out))
	return out
}

func TestStoreFeedsStageFilesAndTakesSaveFiles(t *testing.T) {
	w := newWorker(t)
	claims := strings.Repeat("1042,17.50\n", 100_000)
	write(t, w.store, "mem://scratch/2026/claims.csv", claims)

	staged := do[asteroid.StageFilesResult](t, w, asteroid.StageFilesName, asteroid.StageFilesInput{
		Files: []asteroid.FileRef{{URI: "mem://scratch/2026/claims.csv"}},
	})
	require.Equal(t, "claims.csv", staged.Files[0].Name)
	require.Equal(t, "text/csv", staged.Files[0].ContentType)
	require.EqualValues(t, len(claims), staged.Files[0].Size)

	started := do[asteroid.ExecuteAgentResult](t, w, asteroid.ExecuteAgentName, asteroid.ExecuteAgentInput{
		AgentID: w.api.AgentID("inventory"), TempFiles: staged.Files,
	})
	w.elapsed.Store(int64(10 * time.Minute))
	saved := do[asteroid.SaveFilesResult](t, w, asteroid.SaveFilesName, asteroid.SaveFilesInput{
		ExecutionID: started.ExecutionID, Destination: "mem://scratch/results",
	})
	require.Len(t, saved.Files, 1)
	require.Equal(t, "mem://scratch/results/"+started.ExecutionID+"/downloads/inventory.json", saved.Files[0].URI)
	inventory := read(t, w.store, saved.Files[0].URI)
	require.Contains(t, inventory, digest(claims), "the agent saw the bucket's file")
	require.Equal(t, digest(inventory), saved.Files[0].SHA256)
	info, err := w.store.Stat(t.Context(), parse(t, saved.Files[0].URI))
	require.NoError(t, err)
	require.Equal(t, asteroid.FileInfo{ContentType: "application/json", Size: int64(len(inventory))}, info)

	// The next step takes the saved files unchanged.
	next := do[asteroid.StageFilesResult](t, w, asteroid.StageFilesName, asteroid.StageFilesInput{Files: asteroid.References(saved.Files)})
	require.Equal(t, "inventory.json", next.Files[0].Name)
}

func digest(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

func TestStageFilesClassifiesRefusedReferencesAndSendsNothing(t *testing.T) {
	w := newWorker(t)
	write(t, w.store, "mem://scratch/claims.csv", "x")
	for uri, is := range map[string]func(error) bool{
		"mem://other/claims.csv":            asteroid.IsUnauthorized,
		"mem://scratch/absent.csv":          asteroid.IsNotFound,
		"mem://scratch/claims.csv?region=x": asteroid.IsInvalidInput,
		"mem://scratch/../claims.csv":       asteroid.IsInvalidInput,
		"s3://scratch/claims.csv":           asteroid.IsInvalidInput,
	} {
		_, err := w.ExecuteActivity(asteroid.StageFilesName, asteroid.StageFilesInput{Files: []asteroid.FileRef{{URI: "mem://scratch/claims.csv"}, {URI: uri}}})
		require.Error(t, err)
		require.True(t, is(err), "%s: %v", uri, err)
		require.Contains(t, err.Error(), "files[1].uri", uri)
	}
	require.Empty(t, w.api.Requests())
}
