//go:build unix && !linux

package child

import (
	"os/exec"
	"syscall"
)

// isolate gives the command a process group of its own.
func isolate(command *exec.Cmd) { command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
