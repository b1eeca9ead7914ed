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

// child is a process that this one has started, and its end of the pipe that keeps it alive.
type child struct {
	name    string
	command *exec.Cmd
	stdin   io.Closer
	ready   chan struct{} // closed when it says that it is
	ended   chan struct{} // closed when it has ended
	said    tail
}

// startChild starts this program again with other arguments. Its log goes to a file in logs, unless that is empty.
func startChild(name, logs string, environment []string, args ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program, to start it again: %w", err)
	}
	c := &child{name: name, ready: make(chan struct{}), ended: make(chan struct{})}
	c.command = exec.Command(self, args...) //nolint:gosec // the arguments are this program's own
	c.command.Env = append(os.Environ(), environment...)
	if logs != "" {
		c.command.Env = append(c.command.Env, logFileEnv+"="+filepath.Join(logs, name+".log"))
	}
	c.command.Stderr = &c.said
	stdin, err := c.command.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	stdout, err := c.command.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	c.stdin = stdin
	if err := c.command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		lines := bufio.NewScanner(stdout)
		if lines.Scan() {
			close(c.ready)
		}
		_, _ = io.Copy(io.Discard, stdout)
		_ = c.command.Wait() // a killed process fails; ended tells all
		close(c.ended)
	}()
	return c, nil
}

// awaitReady returns when the child is ready, or an error that says what it said instead.
func (c *child) awaitReady(ctx context.Context, patience time.Duration) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-c.ready:
		return nil
	case <-c.ended:
		return fmt.Errorf("%s ended before it was ready: %s", c.name, c.said.text())
	case <-timer.C:
		return fmt.Errorf("%s was not ready after %s: %s (is the machine busy?)", c.name, patience, c.said.text())
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// kill ends the child with SIGKILL and waits until it is gone.
func (c *child) kill() {
	_ = c.command.Process.Kill() // fails if it has ended by itself
	_ = c.stdin.Close()
	<-c.ended
}

// stop asks the child to end, and kills it if it does not.
func (c *child) stop(patience time.Duration) error {
	_ = c.stdin.Close()
	select {
	case <-c.ended:
		return nil
	case <-time.After(patience):
		c.kill()
		return fmt.Errorf("%s did not stop within %s and was killed", c.name, patience)
	}
}

// hasEnded reports whether the child is gone.
func (c *child) hasEnded() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

func (t *tail) Write(p []byte) (int, error) {
	const most = 2000
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	if extra := len(t.kept) - most; extra > 0 {
		t.kept = append(t.kept[:0], t.kept[extra:]...)
	}
	return len(p), nil
}

func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if said := bytes.TrimSpace(t.kept); len(said) > 0 {
		return string(said)
	}
	return "it said nothing"
}

// processes are the Temporal server and the workers.
type processes struct {
	settings settings
	api      []string // environment that leads to the API
	address  string
	port     int
	database string
	started  int

	mu      sync.Mutex // for what follows: an end may come at any time
	server  *child
	workers []*child
	closed  bool
}

const readyPatience = time.Minute

var errClosed = errors.New("the run is over")

// startServer starts a Temporal server over the database that the one before it has left.
func (p *processes) startServer(ctx context.Context) error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return errClosed
	}
	server, err := startChild("temporal", p.settings.logs, nil, serverChild, fmt.Sprint(p.port), p.database)
	p.server = server
	p.mu.Unlock()
	if err != nil {
		return err
	}
	return server.awaitReady(ctx, readyPatience)
}

// startWorker fills a place with a new worker. It does not wait until that is ready.
func (p *processes) startWorker(place int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errClosed
	}
	p.started++
	w, err := startChild(fmt.Sprintf("worker-%d", p.started), p.settings.logs, p.api, workerChild, p.address)
	if err != nil {
		return err
	}
	p.workers[place] = w
	return nil
}

func (p *processes) worker(place int) *child {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.workers[place]
}

// close ends everything and returns when it has ended.
func (p *processes) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, w := range p.workers {
		if w != nil {
			w.kill() // it has nothing to lose
		}
	}
	if p.server != nil {
		_ = p.server.stop(stopPatience)
	}
}
