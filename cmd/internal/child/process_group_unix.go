//go:build unix

package child

import (
	"os"
	"syscall"
)

// leaveGroup moves this process out of the process group that the terminal signals.
func leaveGroup() { _ = syscall.Setpgid(0, 0) } // fails only for the leader of a session, which is in no such group

// interrupt sends the process a signal to stop.
func interrupt(p *os.Process, s os.Signal) { _ = p.Signal(s) } // fails if it has exited

// killGroup kills the process and all that it has started.
func killGroup(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGKILL) }
