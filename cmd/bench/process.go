package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// usage is what a process has of the machine.
type usage struct {
	memory int64 // in bytes; without the program's code, most of which belongs to the Temporal server, whatever the process does
	cpu    time.Duration
}

// errNoUsage is the error where the machine does not tell what another process uses.
var errNoUsage = errors.New("this machine has no /proc, so memory and CPU are not measured")

// usageOf reads what a process uses now.
func usageOf(pid int) (usage, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if errors.Is(err, os.ErrNotExist) {
		if _, err := os.Stat("/proc/self/status"); err != nil {
			return usage{}, errNoUsage
		}
	}
	if err != nil {
		return usage{}, err
	}
	memory, err := statusBytes(status, "RssAnon:")
	if err != nil {
		return usage{}, err
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return usage{}, err
	}
	cpu, err := parseCPU(string(stat))
	return usage{memory, cpu}, err
}

// statusBytes is a size in /proc's status of a process.
func statusBytes(status []byte, name string) (int64, error) {
	_, rest, _ := bytes.Cut(status, []byte(name))
	var kib int64
	if _, err := fmt.Fscan(bytes.NewReader(rest), &kib); err != nil {
		return 0, fmt.Errorf("no %s in what /proc tells of a process: %w", name, err)
	}
	return kib << 10, nil
}

// parseCPU reads user and system time, the 14th and the 15th field, in hundredths of a second: USER_HZ is 100 on every Linux.
func parseCPU(stat string) (time.Duration, error) {
	name := strings.LastIndexByte(stat, ')') // the second field, which may hold anything
	fields := strings.Fields(stat[name+1:])
	var user, system int64
	if name < 0 || len(fields) < 13 {
		return 0, fmt.Errorf("%q is not what /proc tells of a process", stat)
	}
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		return 0, err
	}
	return time.Duration(user+system) * (time.Second / 100), nil
}
