package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime/metrics"
	"strings"
	"time"
)

// usage is the memory and the CPU time of a process.
type usage struct {
	// memory is in bytes, without the program's code: every role carries that of the Temporal
	// server.
	memory int64
	cpu    time.Duration
}

// errNoUsage is the error on a machine that does not report the usage of other processes.
var errNoUsage = errors.New("this machine has no /proc, so memory and CPU are not measured")

// usageOf reads the current usage of a process.
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

// peakMemory returns the highest resident memory of this process so far, in bytes, without the
// program's code.
//
// On Linux it is VmHWM. The parent's ru_maxrss would be wrong: it starts at the memory of the
// parent, from which the process was forked.
func peakMemory() int64 {
	if status, err := os.ReadFile("/proc/self/status"); err == nil {
		peak, err := statusBytes(status, "VmHWM:")
		code, codeErr := statusBytes(status, "RssFile:")
		if err == nil && codeErr == nil {
			return peak - code
		}
	}
	// Elsewhere: all memory that the Go runtime has ever mapped, which is an upper bound.
	sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64()) //nolint:gosec // no process has so much
}

// statusBytes returns a size from the content of /proc/PID/status.
func statusBytes(status []byte, name string) (int64, error) {
	_, rest, _ := bytes.Cut(status, []byte(name))
	var kib int64
	if _, err := fmt.Fscan(bytes.NewReader(rest), &kib); err != nil {
		return 0, fmt.Errorf("no %s in /proc/PID/status: %w", name, err)
	}
	return kib << 10, nil
}

// parseCPU adds user and system time, fields 14 and 15 of /proc/PID/stat, in hundredths of a
// second: USER_HZ is 100 on every Linux.
func parseCPU(stat string) (time.Duration, error) {
	name := strings.LastIndexByte(stat, ')') // the end of field 2, which may contain anything
	fields := strings.Fields(stat[name+1:])
	var user, system int64
	if name < 0 || len(fields) < 13 {
		return 0, fmt.Errorf("%q is not the content of /proc/PID/stat", stat)
	}
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		return 0, err
	}
	return time.Duration(user+system) * (time.Second / 100), nil
}
