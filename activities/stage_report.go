package activities

import (
	"context"
	"maps"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
)

// stageReport collects what the uploads of one attempt have done and tells it in heartbeats.
type stageReport struct {
	ctx context.Context
	mu  sync.Mutex
	StageProgress
}

// newStageReport counts what there is to send. It knows the kept files from the start: a heartbeat without them would
// make the next attempt send them again.
func newStageReport(ctx context.Context, sources []*source, kept map[int]StagedFile) *stageReport {
	r := &stageReport{ctx: ctx, StageProgress: StageProgress{Staged: map[int]StagedFile{}}}
	maps.Copy(r.Staged, kept)
	for i, s := range sources {
		if _, ok := kept[i]; !ok {
			r.TotalFiles++
			r.TotalBytes += s.size
		}
	}
	return r
}

func (r *stageReport) sent(bytes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Bytes += int64(bytes)
}

// finished is told at once: a file that is not in a heartbeat is sent again by the next attempt.
func (r *stageReport) finished(i int, file StagedFile) {
	r.mu.Lock()
	r.Staged[i] = file
	r.Files++
	r.mu.Unlock()
	r.beat()
}

func (r *stageReport) beat() {
	r.mu.Lock()
	snapshot := r.StageProgress
	snapshot.Staged = maps.Clone(r.Staged)
	r.mu.Unlock()
	activity.RecordHeartbeat(r.ctx, snapshot)
}

// start beats at a third of the heartbeat timeout, so that one lost beat does no harm, until stop is called.
func (r *stageReport) start() (stop func()) {
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

// uniqueNames returns a name for each source: no directories, printable ASCII without what a header or a shell might
// trip over, and no two alike even where letter case does not count.
func uniqueNames(sources []*source) []string {
	names := make([]string, len(sources))
	taken := make(map[string]bool, len(sources))
	for i, s := range sources {
		name := asciiName(s.name)
		ending := path.Ext(name)
		for n := 2; taken[strings.ToLower(name)]; n++ {
			name = strings.TrimSuffix(asciiName(s.name), ending) + "-" + strconv.Itoa(n) + ending
		}
		taken[strings.ToLower(name)] = true
		names[i] = name
	}
	return names
}

const maxName = 200

func asciiName(name string) string {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	ascii := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("._-+() ", r):
			return r
		default:
			return '_'
		}
	}, name)
	if ending := path.Ext(ascii); len(ascii) > maxName && len(ending) < maxName {
		ascii = ascii[:maxName-len(ending)] + ending
	}
	if strings.Trim(ascii, "._ ") == "" {
		return "file"
	}
	return ascii
}
