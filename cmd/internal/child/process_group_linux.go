package child

import (
	"os/exec"
	"syscall"
)

// isolate gives the command a process group of its own, and has the kernel kill it when the thread
// that starts it ends.
func isolate(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
