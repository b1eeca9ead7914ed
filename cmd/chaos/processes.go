package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// process is a child process, with the pipe that keeps it alive.
type process struct {
	name    string
	command *exec.Cmd
	stdin   io.Closer
	ready   chan struct{} // closed when the process reports that it is ready
	exited  chan struct{} // closed when the process has exited
	stderr  tail
}

// startProcess starts this program again with the arguments of a child. The child logs to a file in
// the directory logs, or not at all if that is empty.
func startProcess(name, logs string, environment []string, args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program's executable, to start it again: %w", err)
	}
	p := &process{name: name, ready: make(chan struct{}), exited: make(chan struct{})}
	p.command = exec.Command(self, args...) //nolint:gosec // the arguments are this program's own
	p.command.Env = append(os.Environ(), environment...)
	if logs != "" {
		p.command.Env = append(p.command.Env, logFileEnv+"="+filepath.Join(logs, name+".log"))
	}
	p.command.Stderr = &p.stderr
	stdin, err := p.command.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	stdout, err := p.command.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p.stdin = stdin
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		lines := bufio.NewScanner(stdout)
		if lines.Scan() {
			close(p.ready)
		}
		_, _ = io.Copy(io.Discard, stdout)
		_ = p.command.Wait() // a killed process returns an error; only the exit matters
		close(p.exited)
	}()
	return p, nil
}

// awaitReady returns when the process is ready. Its error holds the process's standard error
// output.
func (p *process) awaitReady(ctx context.Context, timeout time.Duration) error {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-p.ready:
		return nil
	case <-p.exited:
		return fmt.Errorf("%s exited before it was ready: %s", p.name, p.stderr.text())
	case <-timer.C:
		return fmt.Errorf("%s was not ready after %s: %s (is the machine busy?)", p.name, timeout, p.stderr.text())
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// kill sends SIGKILL and returns when the process has exited.
func (p *process) kill() {
	_ = p.command.Process.Kill() // fails if the process has already exited
	_ = p.stdin.Close()
	<-p.exited
}

// stop stops the process gracefully, and kills it after the timeout.
func (p *process) stop(timeout time.Duration) error {
	_ = p.stdin.Close()
	select {
	case <-p.exited:
		return nil
	case <-time.After(timeout):
		p.kill()
		return fmt.Errorf("%s did not stop within %s and was killed", p.name, timeout)
	}
}

func (p *process) hasExited() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// tail is a writer that holds the last 2000 bytes.
type tail struct {
	mu  sync.Mutex
	end []byte
}

func (t *tail) Write(p []byte) (int, error) {
	const most = 2000
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end = append(t.end, p...)
	if extra := len(t.end) - most; extra > 0 {
		t.end = append(t.end[:0], t.end[extra:]...)
	}
	return len(p), nil
}

func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if text := bytes.TrimSpace(t.end); len(text) > 0 {
		return string(text)
	}
	return "no error output"
}

// processes are the Temporal server and the workers.
type processes struct {
	settings settings
	api      []string // environment of the workers: the address and the key of the API
	address  string
	port     int
	database string
	started  int

	mu      sync.Mutex // guards the fields below: close may be called at any time
	server  *process
	workers []*process
	closed  bool
}

const readyTimeout = time.Minute

var errClosed = errors.New("the run is over")

// startServer starts a Temporal server on the database of the one before it, and waits until it is
// ready.
func (p *processes) startServer(ctx context.Context) error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return errClosed
	}
	server, err := startProcess("temporal", p.settings.logs, nil, serverChild, fmt.Sprint(p.port), p.database)
	p.server = server
	p.mu.Unlock()
	if err != nil {
		return err
	}
	return server.awaitReady(ctx, readyTimeout)
}

// startWorker starts a worker in a slot. It does not wait until the worker is ready.
func (p *processes) startWorker(slot int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errClosed
	}
	p.started++
	w, err := startProcess(fmt.Sprintf("worker-%d", p.started), p.settings.logs, p.api, workerChild, p.address)
	if err != nil {
		return err
	}
	p.workers[slot] = w
	return nil
}

func (p *processes) worker(slot int) *process {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.workers[slot]
}

// close stops every process and returns when all have exited.
func (p *processes) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, w := range p.workers {
		if w != nil {
			w.kill() // the run is over, so no graceful stop is needed
		}
	}
	if p.server != nil {
		_ = p.server.stop(stopTimeout)
	}
}
