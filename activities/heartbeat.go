package activities

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	sdkclient "go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/files"
	"github.com/temporal-asteroid/asteroid/internal/metrics"
	"github.com/temporal-asteroid/asteroid/internal/parallel"
)

// reporter collects the progress of one attempt's transfers and records it in heartbeats. One
// heartbeat is under way at a time, and each holds the newest progress.
type reporter[File any] struct {
	ctx     context.Context
	unknown bool // earlier attempts may have recorded progress that this one does not have

	moved, finished sdkclient.MetricsCounter // bytes, and files

	changed   chan struct{} // holds a value while files have finished that no heartbeat holds
	recording sync.Mutex    // from a snapshot until it is sent, so that the newest is the last
	mu        sync.Mutex
	asteroid.Progress[File]
}

// newReporter starts with the progress of earlier attempts and heartbeats until stop is called.
func newReporter[File any](ctx context.Context, way direction) (r *reporter[File], stop func()) {
	r = &reporter[File]{
		ctx: ctx, changed: make(chan struct{}, 1),
		moved: metrics.FileBytes.Counter(metricsOf(ctx), string(way)), finished: metrics.Files.Counter(metricsOf(ctx), string(way)),
	}
	r.moved.Inc(0) // see metrics.Announce
	r.finished.Inc(0)
	known := false
	r.Progress, known = heartbeatDetails[asteroid.Progress[File]](ctx)
	r.unknown = !known && (activity.GetInfo(ctx).Attempt > 1 || activity.HasHeartbeatDetails(ctx))
	r.Files, r.TotalFiles, r.Bytes, r.TotalBytes = 0, 0, 0, 0
	if r.Done == nil {
		r.Done = asteroid.FinishedFiles[File]{}
	}
	return r, r.start()
}

// indexKey is the key in Progress.Done of the input's file at index i.
func indexKey(i int) string { return strconv.Itoa(i) }

// finishedFile returns a file that this attempt or an earlier one has finished.
func (r *reporter[File]) finishedFile(key string) (File, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	file, ok := r.Done[key]
	return file, ok
}

// inOrder returns n finished files, in the order of their keys.
func (r *reporter[File]) inOrder(n int, key func(i int) string) []File {
	finished := make([]File, n)
	for i := range finished {
		finished[i], _ = r.finishedFile(key(i))
	}
	return finished
}

// forget drops a finished file, so that this attempt transfers it again.
func (r *reporter[File]) forget(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.Done, key)
}

// restart drops what is expected and not finished.
func (r *reporter[File]) restart() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.TotalFiles, r.TotalBytes = r.Files, r.Bytes
}

func (r *reporter[File]) expect(s *files.Source) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.TotalFiles++
	r.TotalBytes = files.AddSizes(r.TotalBytes, s.Size)
}

func (r *reporter[File]) addBytes(n int) {
	r.moved.Inc(int64(n))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Bytes += int64(n)
}

// finish records a finished file. A heartbeat with it follows, because the next attempt transfers
// again what no heartbeat holds.
func (r *reporter[File]) finish(key string, file File) {
	r.finished.Inc(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Done[key] = file
	r.Files++
	r.Sending = slices.DeleteFunc(slices.Clone(r.Sending), func(sending string) bool { return sending == key })
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// recordSending records the files whose upload outcome is unknown, and since when they are looked
// up. It precedes the upload, so it returns when the heartbeat has been sent.
func (r *reporter[File]) recordSending(keys []string, lookupSince time.Time) {
	r.mu.Lock()
	r.Sending, r.Looking = keys, lookupSince
	r.mu.Unlock()
	r.flush()
}

func (r *reporter[File]) heartbeat() {
	r.recording.Lock()
	defer r.recording.Unlock()
	r.record()
}

// record heartbeats a snapshot of the progress and returns it. Its caller locks recording.
func (r *reporter[File]) record() asteroid.Progress[File] {
	r.mu.Lock()
	select {
	case <-r.changed:
	default:
	}
	snapshot := r.Progress
	snapshot.Done = maps.Clone(r.Done)
	r.mu.Unlock()
	activity.RecordHeartbeat(r.ctx, snapshot)
	return snapshot
}

// flush sends a heartbeat without the worker's throttling, and returns the progress in it. A worker
// delays heartbeats by up to 80 % of their timeout, and a worker that is killed loses them.
func (r *reporter[File]) flush() asteroid.Progress[File] {
	r.recording.Lock()
	defer r.recording.Unlock()
	snapshot := r.record()
	service := temporalClient(r.ctx)
	if service == nil {
		return snapshot
	}
	ctx, cancel := context.WithTimeout(r.ctx, 5*time.Second)
	defer cancel()
	// If this fails, the worker's own heartbeat follows. A cancellation arrives with that one too.
	if err := service.RecordActivityHeartbeatWithOptions(ctx, heartbeatOptions(activity.GetInfo(r.ctx), []any{snapshot})); err != nil {
		activity.GetLogger(r.ctx).Debug("A heartbeat could not be flushed", "error", err)
	}
	return snapshot
}

// flushPause is the time from one flush to the next, for each finished file. A thousand files have
// up to 100 KiB, so flushes send up to 20 KiB a second, however many files finish.
const flushPause = 5 * time.Millisecond

// start heartbeats until stop is called: soon after a file has finished, and at a third of the
// heartbeat timeout otherwise. One lost heartbeat then does not time the activity out.
func (r *reporter[File]) start() (stop func()) {
	interval := activity.GetInfo(r.ctx).HeartbeatTimeout / 3
	if interval <= 0 {
		interval = 10 * time.Second
	}
	ctx, cancel := context.WithCancel(r.ctx)
	var group sync.WaitGroup
	group.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(interval):
				r.heartbeat()
			case <-r.changed:
				sent := r.flush()
				parallel.Sleep(ctx, min(time.Duration(len(sent.Done))*flushPause, interval))
			}
		}
	})
	return func() {
		cancel()
		group.Wait()
		if len(r.changed) > 0 {
			r.heartbeat() // the worker sends it if the activity fails
		}
	}
}

// heartbeatDetails returns what an earlier attempt recorded. Details of another version, which
// cannot be decoded, are ignored.
func heartbeatDetails[T any](ctx context.Context) (details T, ok bool) {
	if !activity.HasHeartbeatDetails(ctx) || activity.GetHeartbeatDetails(ctx, &details) != nil {
		return *new(T), false
	}
	return details, true
}

// temporalClient returns the activity's client, or nil where none is usable. The client of the
// SDK's test environments ends the process at the first call, and a test double may panic.
func temporalClient(ctx context.Context) (service sdkclient.Client) {
	defer func() {
		if recover() != nil {
			service = nil
		}
	}()
	service = activity.GetClient(ctx)
	if service == nil || strings.Contains(fmt.Sprintf("%T", service.WorkflowService()), "Mock") {
		return nil
	}
	return service
}
