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

// childRoles are the clients and servers that this program measures. It starts itself once for
// each, with the role as the first argument.
//
// A server writes its address as one line of JSON on its standard output when it is ready. It exits
// when its standard input closes, so it cannot outlive a killed parent. A client sends a file and
// writes one line of JSON about the transfer.
var childRoles = map[string]func(args []string) error{
	discardingAPIChild: func([]string) error { return serveDiscardingAPI() },
	sinkChild:          func([]string) error { return serveSink() },
	temporalChild:      func([]string) error { return serveTemporal() },
	parkingAPIChild:    serveParkingAPI,
	workerChild:        func([]string) error { return serveWorker() },
	copyChild:          func(args []string) error { return clientMain(args, copyFile) },
	stageChild:         func(args []string) error { return clientMain(args, stageFile) },
}

// runChild runs the role that the arguments name, if any, and returns its exit code.
func runChild(args []string) (code int, child bool) {
	if len(args) == 0 || childRoles[args[0]] == nil {
		return 0, false
	}
	signal.Ignore(os.Interrupt) // Ctrl-C reaches the whole process group, but the parent stops its children
	if err := childRoles[args[0]](args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1, true
	}
	return 0, true
}

// serveUntilParentExits writes the server's address for the parent, and returns when the parent
// stops the server or exits.
func serveUntilParentExits(address any) error {
	if err := json.NewEncoder(os.Stdout).Encode(address); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// server is a child process in the role of a server.
type server struct {
	role    string
	command *exec.Cmd
	stdin   io.Closer
	stderr  *bytes.Buffer // may be read once the process has exited
	exited  chan struct{} // closed when the process has exited
}

// startServer starts a server and decodes the line that it writes when it is ready into address.
func startServer(ctx context.Context, role string, address any, args ...string) (*server, error) {
	command, stderr, err := childCommand(ctx, role, args...)
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
	s := &server{role, command, stdin, stderr, make(chan struct{})}
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	go func() {
		_ = command.Wait() // exitError reports the standard error output instead
		close(s.exited)
	}()
	if err == nil {
		err = json.Unmarshal(line, address)
	}
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("%s did not start: %w: %s", role, err, bytes.TrimSpace(stderr.Bytes()))
	}
	return s, nil
}

// stopTimeout bounds the time that a server may take to exit before it is killed.
const stopTimeout = 10 * time.Second

// stop stops the server and returns when it has exited.
func (s *server) stop() {
	_ = s.stdin.Close()
	select {
	case <-s.exited:
	case <-time.After(stopTimeout):
		_ = s.command.Process.Kill() // fails if the process has just exited
		<-s.exited
	}
}

// exitError returns an error with the standard error output of a server that has exited; nil while
// the server runs.
func (s *server) exitError() error {
	select {
	case <-s.exited:
		return fmt.Errorf("%s exited: %s", s.role, bytes.TrimSpace(s.stderr.Bytes()))
	default:
		return nil
	}
}

// transfer is the measurement of one client.
type transfer struct {
	// Seconds is the time of the transfer, without the start of the process.
	Seconds float64 `json:"seconds"`
	// PeakMemory is the highest resident memory of the process, in bytes; 0 if it is unknown.
	PeakMemory int64 `json:"peakMemory"`
	// StartCPU is the CPU time of the process before the transfer.
	StartCPU time.Duration `json:"startCPU"`
	// CPU is the CPU time after that.
	CPU time.Duration `json:"-"`
}

// startClient runs a client until it exits.
func startClient(ctx context.Context, role string, environment []string, args ...string) (transfer, error) {
	command, stderr, err := childCommand(ctx, role, args...)
	if err != nil {
		return transfer{}, err
	}
	command.Env = append(os.Environ(), environment...)
	line, err := command.Output()
	if err != nil {
		return transfer{}, fmt.Errorf("%s: %w: %s", role, err, bytes.TrimSpace(stderr.Bytes()))
	}
	var result transfer
	err = json.Unmarshal(line, &result)
	result.CPU = command.ProcessState.UserTime() + command.ProcessState.SystemTime() - result.StartCPU
	return result, err
}

func childCommand(ctx context.Context, role string, args ...string) (command *exec.Cmd, stderr *bytes.Buffer, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, fmt.Errorf("find this program's executable, to start it again: %w", err)
	}
	command = exec.CommandContext(ctx, self, append([]string{role}, args...)...) //nolint:gosec // the arguments are this program's own
	stderr = &bytes.Buffer{}
	command.Stderr = stderr
	return command, stderr, nil
}

// clientMain is the main function of a client. args are the path of the file and the arguments of
// send.
func clientMain(args []string, send func(ctx context.Context, path string, args []string) (time.Duration, error)) error {
	if len(args) == 0 {
		return errors.New("name the file to send")
	}
	start, _ := usageOf(os.Getpid()) // a few hundredths of a second; 0 on a machine without /proc
	elapsed, err := send(context.Background(), args[0], args[1:])
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(transfer{Seconds: elapsed.Seconds(), PeakMemory: peakMemory(), StartCPU: start.cpu})
}
