package testsuite

import "sync"

// lateWork is what still happens when its request is over.
type lateWork struct {
	mu      sync.Mutex
	stopped bool
	running sync.WaitGroup
}

// start runs do at the side, unless the API is being closed.
func (l *lateWork) start(do func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.stopped {
		l.running.Go(do)
	}
	return !l.stopped
}

// stop waits for what is running, which has been told to end.
func (l *lateWork) stop() {
	l.mu.Lock()
	l.stopped = true
	l.mu.Unlock()
	l.running.Wait()
}
