// Package child starts a program again as child processes that cannot outlive it. Main runs the
// role that its first argument names:
//
//	if code, isChild := child.Run(os.Args[1:], roles); isChild {
//		os.Exit(code)
//	}
//
// A server writes one line on its standard output when it is ready. It exits when its standard
// input, a pipe from its parent, closes: see [ParentExited].
//
// A [Lifeline] starts a program that knows nothing of this. [StartProgram] starts such a server.
package child

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"time"
)

// Run runs the role that the first argument names, if any, with the other arguments, and returns
// its exit code. An error of the role is printed.
func Run(args []string, roles map[string]func(args []string) error) (code int, isChild bool) {
	if len(args) == 0 || roles[args[0]] == nil {
		return 0, false
	}
	signal.Ignore(os.Interrupt) // Ctrl-C reaches the whole process group, but the parent stops its children
	if err := roles[args[0]](args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1, true
	}
	return 0, true
}

// ParentExited returns a child's context that is cancelled when its parent stops it or exits.
func ParentExited() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	return ctx
}

// Command returns a command that starts this program again, with additions to its environment.
func Command(ctx context.Context, environment []string, args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program's executable, to start it again: %w", err)
	}
	command := exec.CommandContext(ctx, self, args...) //nolint:gosec // the arguments are this program's own
	command.Env = append(os.Environ(), environment...)
	return command, nil
}

// Process is a server that runs as a child process.
type Process struct {
	name    string
	command *exec.Cmd
	stop    func() // asks the process to stop
	kill    func()
	ready   chan struct{} // closed when the process has written line
	line    []byte
	exited  chan struct{}
	stderr  Tail
}

// Start starts a server. The name is for errors.
func Start(name string, environment []string, args ...string) (*Process, error) {
	command, err := Command(context.Background(), environment, args...)
	if err != nil {
		return nil, err
	}
	stdin, err := command.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return start(name, command, func() { _ = stdin.Close() }, func() {
		_ = command.Process.Kill() // fails if the process has already exited
		_ = stdin.Close()
	})
}

// StartProgram starts a server that is another program, at this path. It writes a line when it is
// ready, as those of [Start] do, and stops on an interrupt. The name is for errors.
func StartProgram(name, program string, environment []string, args ...string) (*Process, error) {
	l, err := NewLifeline(program)
	if err != nil {
		return nil, err
	}
	command, err := l.Command(environment, args...)
	if err != nil {
		return nil, err
	}
	p, err := start(name, command, l.Interrupt, l.Kill)
	if err != nil {
		l.Kill()
	}
	return p, err
}

func start(name string, command *exec.Cmd, stop, kill func()) (*Process, error) {
	p := &Process{name: name, command: command, stop: stop, kill: kill, ready: make(chan struct{}), exited: make(chan struct{})}
	command.Stderr = &p.stderr
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		lines := bufio.NewScanner(stdout)
		if lines.Scan() {
			p.line = lines.Bytes()
			close(p.ready)
		}
		_, _ = io.Copy(io.Discard, stdout)
		_ = command.Wait() // a killed process returns an error; only the exit matters
		close(p.exited)
	}()
	return p, nil
}

const readyTimeout = time.Minute

// AwaitReady returns the line that the server writes when it is ready. An error holds the server's
// standard error output.
func (p *Process) AwaitReady(ctx context.Context) ([]byte, error) {
	timer := time.NewTimer(readyTimeout)
	defer timer.Stop()
	select {
	case <-p.ready:
		return p.line, nil
	case <-p.exited:
		return nil, fmt.Errorf("%s exited before it was ready: %s", p.name, p.stderr.Text())
	case <-timer.C:
		return nil, fmt.Errorf("%s was not ready after %s: %s (is the machine busy?)", p.name, readyTimeout, p.stderr.Text())
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Pid returns the process id.
func (p *Process) Pid() int { return p.command.Process.Pid }

// ExitError returns nil while the server runs. Then it returns an error with its standard error
// output.
func (p *Process) ExitError() error {
	select {
	case <-p.exited:
		return fmt.Errorf("%s exited: %s", p.name, p.stderr.Text())
	default:
		return nil
	}
}

// Exited is closed when the server has exited.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Kill sends SIGKILL and returns when the server has exited.
func (p *Process) Kill() {
	p.kill()
	<-p.exited
}

// Stop stops the server gracefully, and kills it after the timeout. Its error says that it was
// killed.
func (p *Process) Stop(timeout time.Duration) error {
	p.stop()
	select {
	case <-p.exited:
		return nil
	case <-time.After(timeout):
		p.Kill()
		return fmt.Errorf("%s did not stop within %s and was killed", p.name, timeout)
	}
}

// Tail is a writer that holds the last 2000 bytes. The zero value is empty.
type Tail struct {
	mu  sync.Mutex
	end []byte
}

// Write holds the end of what was written.
func (t *Tail) Write(p []byte) (int, error) {
	const most = 2000
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end = append(t.end, p...)
	if extra := len(t.end) - most; extra > 0 {
		t.end = append(t.end[:0], t.end[extra:]...)
	}
	return len(p), nil
}

// Text returns what it holds, without spaces around it, or "no error output".
func (t *Tail) Text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if text := bytes.TrimSpace(t.end); len(text) > 0 {
		return string(text)
	}
	return "no error output"
}
