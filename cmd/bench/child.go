package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/temporal-asteroid/asteroid/cmd/internal/child"
)

// childRoles are the clients and servers that this program measures, each in a process of its own.
// The line that a server writes when it is ready is its address in JSON. A client sends a file and
// writes one line of JSON about the transfer.
var childRoles = map[string]func(args []string) error{
	discardingAPIChild: func([]string) error { return serveDiscardingAPI() },
	filesAPIChild:      serveFilesAPI,
	workbenchAPIChild:  func([]string) error { return serveWorkbenchAPI() },
	sinkChild:          func([]string) error { return serveSink() },
	temporalChild:      func([]string) error { return serveTemporal() },
	parkingAPIChild:    serveParkingAPI,
	workerChild:        func([]string) error { return serveWorker() },
	copyChild:          func(args []string) error { return clientMain(args, copyFile) },
	stageChild:         func(args []string) error { return clientMain(args, stageFile) },
}

// serveUntilParentExits writes the server's address for the parent, and returns when the parent
// stops the server or exits.
func serveUntilParentExits(address any) error {
	if err := json.NewEncoder(os.Stdout).Encode(address); err != nil {
		return err
	}
	<-child.ParentExited().Done()
	return nil
}

// startServer starts a server and decodes its address.
func startServer(ctx context.Context, role string, address any, args ...string) (*child.Process, error) {
	s, err := child.Start(role, nil, append([]string{role}, args...)...)
	if err != nil {
		return nil, err
	}
	line, err := s.AwaitReady(ctx)
	if err == nil {
		err = json.Unmarshal(line, address)
	}
	if err != nil {
		s.Kill()
		return nil, err
	}
	return s, nil
}

// stopServer kills a server that does not stop: its data is not needed.
func stopServer(s *child.Process) { _ = s.Stop(10 * time.Second) }

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
	command, err := child.Command(ctx, environment, append([]string{role}, args...)...)
	if err != nil {
		return transfer{}, err
	}
	var stderr bytes.Buffer
	command.Stderr = &stderr
	line, err := command.Output()
	if err != nil {
		return transfer{}, fmt.Errorf("%s: %w: %s", role, err, bytes.TrimSpace(stderr.Bytes()))
	}
	var result transfer
	err = json.Unmarshal(line, &result)
	result.CPU = command.ProcessState.UserTime() + command.ProcessState.SystemTime() - result.StartCPU
	return result, err
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
