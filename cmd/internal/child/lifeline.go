package child

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"sync"
	"time"
)

// Lifeline runs a program of others as a child that cannot outlive this process. Between the two
// stands a supervisor: this program's own executable, outside the terminal's process group. The
// supervisor kills the program, and all that the program has started, when its connection to this
// process ends. On Linux the program dies with the supervisor too.
type Lifeline struct {
	program  string
	listener net.Listener
	exited   chan struct{}
	state    string // of the program that exited, such as "exit status 1"

	mu     sync.Mutex
	parent *net.TCPConn // nil until the supervisor has connected
	killed bool
}

// NewLifeline returns a lifeline for one start of the program, which is a path.
func NewLifeline(program string) (*Lifeline, error) {
	if !supervisorReady {
		return nil, errors.New("this program starts another one, so its main must call child.Supervise first")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("prepare to start %s: %w", program, err)
	}
	l := &Lifeline{program: program, listener: listener, exited: make(chan struct{})}
	go l.serve()
	return l, nil
}

// serve holds the supervisor's connection until the supervisor exits.
func (l *Lifeline) serve() {
	defer close(l.exited)
	accepted, err := l.listener.Accept()
	_ = l.listener.Close()
	if err != nil {
		return // killed before it has connected
	}
	defer accepted.Close()
	l.mu.Lock()
	l.parent = accepted.(*net.TCPConn)
	if l.killed {
		_ = l.parent.CloseWrite()
	}
	l.mu.Unlock()
	state, _ := io.ReadAll(accepted) // a supervisor that was killed leaves none
	l.state = string(state)
}

// Args are the arguments that follow those of the program. With all of them, this program's
// executable is the supervisor.
func (l *Lifeline) Args() []string {
	return []string{supervisorMark, l.listener.Addr().String(), l.program}
}

// Command returns a command that runs the program under its supervisor, with additions to its
// environment.
func (l *Lifeline) Command(environment []string, args ...string) (*exec.Cmd, error) {
	return Command(context.Background(), environment, append(args, l.Args()...)...)
}

// Exited is closed when the program and its supervisor have exited.
func (l *Lifeline) Exited() <-chan struct{} { return l.exited }

// State says how the program has exited, such as "exit status 1". It is empty before, and after
// the supervisor was killed.
func (l *Lifeline) State() string {
	select {
	case <-l.exited:
		return l.state
	default:
		return ""
	}
}

// Interrupt asks the program to stop.
func (l *Lifeline) Interrupt() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.parent != nil {
		_, _ = l.parent.Write([]byte{0}) // fails if it has exited
	}
}

// killTimeout bounds the wait for a supervisor that was told to kill.
const killTimeout = 10 * time.Second

// Kill kills the program and returns when it has exited.
func (l *Lifeline) Kill() {
	l.mu.Lock()
	l.killed = true
	_ = l.listener.Close()
	if l.parent != nil {
		_ = l.parent.CloseWrite()
	}
	l.mu.Unlock()
	select {
	case <-l.exited:
	case <-time.After(killTimeout): // a supervisor that is itself stopped
	}
}

// Stop interrupts the program, and kills it after the timeout. It returns when the program has
// exited.
func (l *Lifeline) Stop(timeout time.Duration) {
	l.Interrupt()
	select {
	case <-l.exited:
	case <-time.After(timeout):
	}
	l.Kill()
}
