package activities

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	sdkclient "go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/files"
	"github.com/temporal-asteroid/asteroid/internal/parallel"
)

// reporter collects what the transfers of one attempt have done and tells it in heartbeats.
type reporter[File any] struct {
	ctx     context.Context
	telling sync.Mutex // held from a snapshot until it is told, so that the last one told is the newest
	mu      sync.Mutex
	asteroid.Progress[File]
}

// newReporter begins to beat, until stop is called, with what an earlier attempt has left.
func newReporter[File any](ctx context.Context) (r *reporter[File], stop func()) {
	r = &reporter[File]{ctx: ctx}
	if activity.HasHeartbeatDetails(ctx) {
		var before asteroid.Progress[File]
		if activity.GetHeartbeatDetails(ctx, &before) == nil { // else of another version: as if there were none
			r.Progress = before
		}
	}
	r.Files, r.TotalFiles, r.Bytes, r.TotalBytes = 0, 0, 0, 0
	if r.Done == nil {
		r.Done = map[string]File{}
	}
	return r, r.start()
}

// has returns what has become of a file in an earlier attempt.
func (r *reporter[File]) has(key string) (File, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	file, ok := r.Done[key]
	return file, ok
}

// forget makes a file one that is still to be moved.
func (r *reporter[File]) forget(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.Done, key)
}

// expect counts files that are to be moved.
func (r *reporter[File]) expect(sources ...*files.Source) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range sources {
		r.TotalFiles++
		r.TotalBytes += max(s.Size, 0)
	}
}

func (r *reporter[File]) moved(bytes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Bytes += int64(bytes)
}

// finished is told at once: a file that is not in a heartbeat is moved again by the next attempt.
func (r *reporter[File]) finished(key string, file File) {
	r.mu.Lock()
	r.Done[key] = file
	r.Files++
	last := r.Files == r.TotalFiles
	r.mu.Unlock()
	if last {
		r.beat() // the activity is about to end, which tells more
	} else {
		r.flush()
	}
}

// sends sets what may or may not have arrived, and since when that is looked for, and tells it before it is true.
func (r *reporter[File]) sends(keys []string, looking time.Time) {
	r.mu.Lock()
	r.Sending, r.Looking = keys, looking
	r.mu.Unlock()
	r.flush()
}

func (r *reporter[File]) beat() {
	r.telling.Lock()
	defer r.telling.Unlock()
	r.tell()
}

func (r *reporter[File]) tell() asteroid.Progress[File] {
	r.mu.Lock()
	snapshot := r.Progress
	snapshot.Done = maps.Clone(r.Done)
	r.mu.Unlock()
	activity.RecordHeartbeat(r.ctx, snapshot)
	return snapshot
}

// flush beats past the worker, which holds heartbeats back for up to 80 % of their timeout, and would take them along if it
// were killed.
func (r *reporter[File]) flush() {
	r.telling.Lock()
	defer r.telling.Unlock()
	snapshot := r.tell()
	service := serviceOf(r.ctx)
	if service == nil {
		return
	}
	ctx, cancel := context.WithTimeout(r.ctx, 5*time.Second)
	defer cancel()
	info := activity.GetInfo(r.ctx)
	options := sdkclient.RecordActivityHeartbeatOptions{
		TaskToken: info.TaskToken, Namespace: info.Namespace, ActivityType: info.ActivityType.Name, TaskQueue: info.TaskQueue,
		WorkflowID: info.WorkflowExecution.ID, Details: []any{snapshot},
	}
	if info.WorkflowType != nil {
		options.WorkflowType = info.WorkflowType.Name
	}
	// Where it fails the heartbeat of the worker still comes; a cancellation comes with that, too.
	if err := service.RecordActivityHeartbeatWithOptions(ctx, options); err != nil {
		activity.GetLogger(r.ctx).Debug("A heartbeat was not taken at once", "error", err)
	}
}

// serviceOf returns the activity's client, or nil where there is none that can be used: the SDK's test environments have one
// whose service ends the process at the first call, and a test double may panic.
func serviceOf(ctx context.Context) (service sdkclient.Client) {
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

// start beats at a third of the heartbeat timeout, so that one lost beat does no harm, until stop is called.
func (r *reporter[File]) start() (stop func()) {
	every := activity.GetInfo(r.ctx).HeartbeatTimeout / 3
	if every <= 0 {
		every = 10 * time.Second
	}
	done := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				r.beat()
			case <-r.ctx.Done():
				return
			case <-done:
				return
			}
		}
	})
	return func() { close(done); group.Wait() }
}

// atOnce is how many files of one call are on the wire together.
const atOnce = 4

// each does something for 0 to n-1, a few at a time. The first error ends the others and is returned. A panic becomes one of
// the caller's, where it ends the activity instead of the worker.
func each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	return parallel.Each(ctx, atOnce, n, do)
}

func index(i int) string { return strconv.Itoa(i) }
