package testsuite

import "sync"

// backgroundTasks runs work that outlasts its request, such as late commits and webhook deliveries.
type backgroundTasks struct {
	mu      sync.Mutex
	stopped bool
	running sync.WaitGroup
}

// start runs do in the background. It returns false, and runs nothing, once the API is being
// closed.
func (b *backgroundTasks) start(do func()) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.stopped {
		b.running.Go(do)
	}
	return !b.stopped
}

// stop waits for the running tasks. The caller has told them to end.
func (b *backgroundTasks) stop() {
	b.mu.Lock()
	b.stopped = true
	b.mu.Unlock()
	b.running.Wait()
}
