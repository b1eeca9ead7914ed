package child

import (
	"os"
	"os/exec"
	"syscall"
)

// leaveGroup does nothing: the console's events go to the group that isolate gives each child.
func leaveGroup() {}

// isolate gives the command a process group of its own.
func isolate(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// interrupt kills the process: Windows has no signal for it that every program understands.
func interrupt(p *os.Process, _ os.Signal) { _ = p.Kill() }

// killGroup kills the process.
func killGroup(p *os.Process) { _ = p.Kill() }
