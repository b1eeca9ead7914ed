package activities_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/worker"
)

// memory returns the bytes of memory that the process occupies.
func memory() uint64 {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64() - samples[1].Value.Uint64()
}

// This test is not parallel: the memory of other tests would count.
func TestStageFilesNeedsConstantMemoryFor2GiB(t *testing.T) {
	if testing.Short() {
		t.Skip("sends 2 GiB over loopback")
	}
	const size = 2 << 30
	dir := t.TempDir()
	path := filepath.Join(dir, "sparse.bin")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, os.Truncate(path, size))
	var received atomic.Int64
	env := newEnv(t, worker.Options{FileRoots: []string{dir}, MaxUploadBytes: -1, Connections: serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		received.Store(n)
		acceptUpload(w, r, "sparse.bin")
	})})
	env.SetTestTimeout(5 * time.Minute)

	runtime.GC()
	idle := memory()
	var peak atomic.Uint64
	done := make(chan struct{})
	sampled := make(chan struct{})
	go func() {
		defer close(sampled)
		for ticker := time.NewTicker(5 * time.Millisecond); ; {
			select {
			case <-ticker.C:
				peak.Store(max(peak.Load(), memory()))
			case <-done:
				ticker.Stop()
				return
			}
		}
	}()
	_, err := env.ExecuteActivity(asteroid.StageFilesName, asteroid.StageFilesInput{Files: []asteroid.FileRef{{URI: "file://" + path}}})
	close(done)
	<-sampled
	require.NoError(t, err)
	require.Greater(t, received.Load(), int64(size))
	grown := int64(peak.Load()) - int64(idle)
	t.Logf("idle %d KiB, peak growth %d KiB", idle>>10, grown>>10)
	require.Less(t, grown, int64(64<<20))
}
