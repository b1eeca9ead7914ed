package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"time"
)

// This program starts itself for the clients and servers that it measures. The first argument says what it is to be.
//
// A server writes one line of JSON on its standard output once it can be reached, and ends when its standard input does, so
// that it cannot outlive a parent that was killed. A client does its work and writes one line of JSON about it.
var childRoles = map[string]func(args []string) error{
	discardingAPIChild: func([]string) error { return serveDiscardingAPI() },
	sinkChild:          func([]string) error { return serveSink() },
	temporalChild:      func([]string) error { return serveTemporal() },
	parkingAPIChild:    serveParkingAPI,
	workerChild:        func([]string) error { return serveWorker() },
	copyChild:          func(args []string) error { return runClient(args, copyFile) },
	stageChild:         func(args []string) error { return runClient(args, stageFile) },
}

// runChild runs a child process, if the arguments are those of one, and returns its exit code.
func runChild(args []string) (code int, child bool) {
	if len(args) == 0 || childRoles[args[0]] == nil {
		return 0, false
	}
	signal.Ignore(os.Interrupt) // goes to the whole terminal; the parent decides
	if err := childRoles[args[0]](args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1, true
	}
	return 0, true
}

// serveUntilParentGoes tells the parent where the server is and returns when that no longer wants it.
func serveUntilParentGoes(where any) error {
	if err := json.NewEncoder(os.Stdout).Encode(where); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// server is a process that serves until it is stopped.
type server struct {
	role    string
	command *exec.Cmd
	stdin   io.Closer
	said    *bytes.Buffer // to be read once it has ended
	gone    chan struct{} // closed when it has ended
}

// startServer starts a server and reads into where what it says of itself.
func startServer(ctx context.Context, role string, where any, args ...string) (*server, error) {
	command, said, err := childCommand(ctx, role, args...)
	if err != nil {
		return nil, err
	}
	stdin, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", role, err)
	}
	s := &server{role, command, stdin, said, make(chan struct{})}
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	go func() {
		_ = command.Wait() // it is of no use any more, however it ends
		close(s.gone)
	}()
	if err == nil {
		err = json.Unmarshal(line, where)
	}
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("%s did not start: %w: %s", role, err, bytes.TrimSpace(said.Bytes()))
	}
	return s, nil
}

// stopPatience is how long a server may take to end.
const stopPatience = 10 * time.Second

// stop ends the server and returns when it has ended.
func (s *server) stop() {
	_ = s.stdin.Close()
	select {
	case <-s.gone:
	case <-time.After(stopPatience):
		_ = s.command.Process.Kill() // fails if it has ended by itself
		<-s.gone
	}
}

// died says what a server said that has ended by itself; nil while it runs.
func (s *server) died() error {
	select {
	case <-s.gone:
		return fmt.Errorf("%s ended: %s", s.role, bytes.TrimSpace(s.said.Bytes()))
	default:
		return nil
	}
}

// transfer is what one client did.
type transfer struct {
	// Seconds are those of the transfer, without the start of the process.
	Seconds float64 `json:"seconds"`
	// PeakMemory is the most that the process had of the machine's memory, in bytes; 0 if it does not tell.
	PeakMemory int64 `json:"peakMemory"`
	// StartCPU is what the process took before it began.
	StartCPU time.Duration `json:"startCPU"`
	// CPU is what it took after that.
	CPU time.Duration `json:"-"`
}

// startClient runs a client to its end.
func startClient(ctx context.Context, role string, environment []string, args ...string) (transfer, error) {
	command, said, err := childCommand(ctx, role, args...)
	if err != nil {
		return transfer{}, err
	}
	command.Env = append(os.Environ(), environment...)
	line, err := command.Output()
	if err != nil {
		return transfer{}, fmt.Errorf("%s: %w: %s", role, err, bytes.TrimSpace(said.Bytes()))
	}
	var done transfer
	err = json.Unmarshal(line, &done)
	done.CPU = command.ProcessState.UserTime() + command.ProcessState.SystemTime() - done.StartCPU
	return done, err
}

func childCommand(ctx context.Context, role string, args ...string) (command *exec.Cmd, said *bytes.Buffer, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, fmt.Errorf("find this program, to start it again: %w", err)
	}
	command = exec.CommandContext(ctx, self, append([]string{role}, args...)...) //nolint:gosec // the arguments are this program's own
	said = &bytes.Buffer{}
	command.Stderr = said
	return command, said, nil
}

// runClient is the life of a client: the file that it sends, and what else it needs to know, are its arguments.
func runClient(args []string, send func(ctx context.Context, path string, args []string) (time.Duration, error)) error {
	if len(args) == 0 {
		return errors.New("which file?")
	}
	start, _ := usageOf(os.Getpid()) // some hundredths of a second, of which not every machine tells
	took, err := send(context.Background(), args[0], args[1:])
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(transfer{Seconds: took.Seconds(), PeakMemory: peakMemory(), StartCPU: start.cpu})
}
