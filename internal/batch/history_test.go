package batch_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/url"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/batch"
	"github.com/temporal-asteroid/asteroid/internal/files"
)

// store is a store in memory.
type store struct {
	mu    sync.Mutex
	files map[string][]byte
}

func (s *store) Open(_ context.Context, uri *url.URL) (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	content, ok := s.files[uri.Path]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(content)), nil
}

func (s *store) Stat(context.Context, *url.URL) (asteroid.FileInfo, error) {
	return asteroid.FileInfo{}, nil
}

func (s *store) Write(_ context.Context, uri *url.URL, content io.Reader, _ asteroid.FileInfo) error {
	all, err := io.ReadAll(content)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[uri.Path] = all
	return nil
}

func (s *store) Delete(_ context.Context, uri *url.URL) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.files, uri.Path)
	return nil
}

// history is a batch that runs again and again in one store.
type history struct {
	t     *testing.T
	store *store
	runs  int
	b     *batch.Batch
}

func newHistory(t *testing.T) *history {
	return &history{t: t, store: &store{files: map[string][]byte{}}}
}

// plan plans a run of the rows with these keys.
func (h *history) plan(keys []string) *asteroid.PlanBatchResult {
	h.t.Helper()
	h.runs++
	h.b = batch.New(h.store, &url.URL{Scheme: "mem", Host: "b", Path: "/r.csv"}, asteroid.BatchPlan{
		BatchKey: "k", PlanID: fmt.Sprintf("plan-%d", h.runs), Results: asteroid.BatchResults{Destination: "mem://b/r.csv"},
	})
	ctx := h.t.Context()
	require.NoError(h.t, h.b.TakeOver(ctx))
	planner, err := h.b.Plan(ctx)
	require.NoError(h.t, err)
	for i, key := range keys {
		row := &batch.PlannedRow{Number: i + 1, Line: i + 2, Key: key, Digest: "d", Cells: map[string]json.RawMessage{"id": json.RawMessage(`"` + key + `"`)}}
		switch planner.Look(row) {
		case batch.BeforeSucceeded:
			require.NoError(h.t, planner.Keep(ctx, row))
		default:
			require.NoError(h.t, planner.Run(ctx, row, 1))
		}
	}
	planned, err := planner.Commit(ctx, []string{"id"}, nil, batch.Workflow{})
	require.NoError(h.t, err)
	return planned
}

// run runs the segments of a pass. result returns "" for a row that does not end.
func (h *history) run(pass, segments int, result func(*batch.PlannedRow) asteroid.RowStatus) {
	h.runAgents(pass, segments, func(row *batch.PlannedRow) (asteroid.RowStatus, asteroid.Status) {
		return result(row), asteroid.StatusCompleted
	})
}

// runAgents is run. result returns how the row's agent has ended, too, if it has.
func (h *history) runAgents(pass, segments int, result func(*batch.PlannedRow) (asteroid.RowStatus, asteroid.Status)) {
	h.t.Helper()
	for segment := 1; segment <= segments; segment++ {
		var results []asteroid.RowResult
		require.NoError(h.t, h.b.Segment(h.t.Context(), pass, segment, func(row *batch.PlannedRow) error {
			if status, agent := result(row); status != "" {
				results = append(results, asteroid.RowResult{
					Number: row.Number, Key: row.Key, Attempt: row.Attempt, Status: status, ExecutionStatus: agent,
					ExecutionID: fmt.Sprintf("%s/%d", row.Key, row.Attempt),
				})
			}
			return nil
		}))
		half := len(results) / 2
		for _, part := range [][]asteroid.RowResult{results[half:], results[:half]} {
			require.NoError(h.t, h.b.WritePart(h.t.Context(), pass, segment, part, func(*batch.Outcome) error { return nil }))
		}
	}
}

// join joins the run and returns its results.
func (h *history) join(passes int) []map[string]string {
	h.t.Helper()
	_, err := h.b.Join(h.t.Context(), passes, func() {})
	require.NoError(h.t, err)
	require.Len(h.t, h.store.files, 3, "results, ledger and pointer")
	records, err := csv.NewReader(bytes.NewReader(h.store.files["/r.csv"])).ReadAll()
	require.NoError(h.t, err)
	var read []map[string]string
	for _, record := range records[1:] {
		row := map[string]string{}
		for i, value := range record {
			row[records[0][i]] = value
		}
		read = append(read, row)
	}
	return read
}

// The results of carried rows stand in the ledger in another order than in the plan, and are more
// than are held at once.
func TestJoinFindsResultsOfManyRowsInAnyOrder(t *testing.T) {
	t.Parallel()
	const count = 20_000
	keys := make([]string, count)
	for i := range keys {
		keys[i] = fmt.Sprintf("A-%d", i)
	}
	h := newHistory(t)
	h.run(1, h.plan(keys).Segments, func(*batch.PlannedRow) asteroid.RowStatus { return asteroid.RowSucceeded })
	require.Len(t, h.join(1), count)
	rand.New(rand.NewPCG(1, 2)).Shuffle(count, func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	planned := h.plan(keys)
	require.Equal(t, &asteroid.PlanBatchResult{Mark: planned.Mark, Succeeded: count}, planned)
	results := h.join(1)
	require.Len(t, results, count)
	for i, row := range results {
		require.Equal(t, keys[i]+"/1", row["executionId"])
	}
}

// Batches run again after they ended in any way, with other rows. No row that has succeeded runs
// again, no attempt is used twice unless its agent may be at work, and each row has one line in
// order, with its newest result.
func TestBatchRunsEachRowUntilItSucceeds(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, seed))
		h := newHistory(t)
		newest := map[string]asteroid.RowResult{} // by key
		for range 6 {
			var keys []string
			for _, i := range random.Perm(12)[:1+random.IntN(12)] {
				keys = append(keys, "A-"+strconv.Itoa(i))
			}
			passes, planned := 1, h.plan(keys)
			for ; ; passes++ {
				h.runAgents(passes, planned.Segments, func(row *batch.PlannedRow) (asteroid.RowStatus, asteroid.Status) {
					before, ran := newest[row.Key]
					require.NotEqual(t, asteroid.RowSucceeded, before.Status, "seed %d: %s runs again", seed, row.Key)
					switch {
					case ran && before.ExecutionStatus.Terminal():
						require.Equal(t, before.Attempt+1, row.Attempt, "seed %d: %s", seed, row.Key)
					case ran:
						require.Equal(t, before.Attempt, row.Attempt, "seed %d: %s", seed, row.Key)
					}
					status := []asteroid.RowStatus{"", asteroid.RowSucceeded, asteroid.RowFailed, asteroid.RowCancelled}[random.IntN(4)]
					agent := []asteroid.Status{asteroid.StatusFailed, asteroid.StatusRunning}[random.IntN(2)]
					if status != "" {
						newest[row.Key] = asteroid.RowResult{Status: status, Attempt: row.Attempt, ExecutionStatus: agent}
					}
					return status, agent
				})
				if passes == 3 || random.IntN(2) == 0 {
					break
				}
				var err error
				planned, err = h.b.PlanRerun(t.Context(), passes+1, func(*batch.PlannedRow) int { return 1 })
				require.NoError(t, err)
			}
			if random.IntN(2) == 0 {
				continue // terminated
			}
			results := h.join(passes)
			require.Len(t, results, len(keys))
			for i, key := range keys {
				require.Equal(t, strconv.Itoa(i+1), results[i]["rowNumber"])
				require.Equal(t, key, results[i]["rowKey"])
				require.Equal(t, key, results[i]["id"])
				if results[i]["status"] != string(asteroid.RowNotRun) {
					require.Equal(t, string(newest[key].Status), results[i]["status"], "seed %d: %s", seed, key)
					require.Equal(t, strconv.Itoa(newest[key].Attempt), results[i]["attempt"])
				}
			}
		}
	}
}

// An attempt that the server has given up, and that fails late, must not harm the one after it.
func TestAbortLeavesTheFilesOfAnotherAttempt(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	h.plan([]string{"a"})
	ctx := t.Context()
	plan := func() *batch.Planner {
		planner, err := h.b.Plan(ctx)
		require.NoError(t, err)
		require.NoError(t, planner.Run(ctx, &batch.PlannedRow{Number: 1, Key: "a"}, 1))
		return planner
	}
	late, next := plan(), plan()
	_, err := next.Commit(ctx, []string{"id"}, nil, batch.Workflow{})
	require.NoError(t, err)
	away := files.Unavailable("the source is away")
	require.ErrorIs(t, late.Abort(ctx, away), away)
	require.NoError(t, h.b.Segment(ctx, 1, 1, func(*batch.PlannedRow) error { return nil }))

	refused := newHistory(t)
	refused.plan(nil)
	refused.join(1)
	before := len(refused.store.files)
	planner, err := refused.b.Plan(ctx)
	require.NoError(t, err)
	require.NoError(t, planner.Run(ctx, &batch.PlannedRow{Number: 1, Key: "a"}, 1))
	require.Error(t, planner.Abort(ctx, asteroid.NewInvalidInput("rows", "are malformed")))
	require.Len(t, refused.store.files, before, "nothing is left of rows that are refused")
}
