package child

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
)

// supervisorMark precedes the lifeline's address and the program in the arguments of a supervisor.
// They are the last ones, because the SDK's StartDevServer only appends arguments.
const supervisorMark = "--supervised-for"

// supervisorReady is set by Supervise. Without its call, a supervisor would run as another copy of
// the whole program.
var supervisorReady bool

// Supervise runs this process as a supervisor, if a [Lifeline] started it as one, and returns the
// exit code of the supervised program. A program with lifelines calls it first in main and in
// TestMain, as program.Main does.
func Supervise(args []string) (code int, isSupervisor bool) {
	supervisorReady = true
	own := len(args) - 3
	if own < 0 || args[own] != supervisorMark {
		return 0, false
	}
	code, err := supervise(args[own+1], args[own+2], args[:own])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return code, true
}

// supervise runs the program until it exits. It forwards interrupts and SIGTERM, and a byte from
// the lifeline as an interrupt. It kills the program when the lifeline ends.
func supervise(lifeline, program string, args []string) (code int, err error) {
	leaveGroup()           // Ctrl-C stops the parent, which then stops its servers in order
	runtime.LockOSThread() // the kernel kills the program when the thread that started it ends
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)

	parent, err := net.Dial("tcp", lifeline) //nolint:gosec // the parent's address, on the loopback interface
	if err != nil {
		return 1, fmt.Errorf("%s was not started, because its parent has exited: %w", program, err)
	}
	defer parent.Close()
	command := exec.Command(program, args...) //nolint:gosec // the parent's choice; the lifeline ends it
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	isolate(command)
	if err := command.Start(); err != nil {
		fmt.Fprintf(parent, "cannot be started: %v", err)
		return 1, err
	}
	go func() {
		for s := range signals {
			interrupt(command.Process, s)
		}
	}()
	go func() {
		stop := make([]byte, 1)
		for {
			if _, err := io.ReadFull(parent, stop); err != nil {
				killGroup(command.Process)
				return
			}
			interrupt(command.Process, os.Interrupt)
		}
	}()
	_ = command.Wait() // the state says more
	fmt.Fprint(parent, command.ProcessState)
	if code = command.ProcessState.ExitCode(); code < 0 {
		code = 1 // a signal killed it
	}
	return code, nil
}
