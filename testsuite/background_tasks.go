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
func (l *backgroundTasks) start(do func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.stopped {
		l.running.Go(do)
	}
	return !l.stopped
}

// stop waits for the running tasks. The caller has told them to end.
func (l *backgroundTasks) stop() {
	l.mu.Lock()
	l.stopped = true
	l.mu.Unlock()
	l.running.Wait()
}
