package main

import (
	"os"
	"runtime/metrics"
)

// peakMemory is the most that this process has had of the machine's memory, in bytes, without the program's code.
//
// On Linux it is the high-water mark of this program alone. What the parent learns when the process ends (ru_maxrss) is no
// use: it begins with the memory of the parent, from which the process was forked.
func peakMemory() int64 {
	if status, err := os.ReadFile("/proc/self/status"); err == nil {
		peak, err := statusBytes(status, "VmHWM:")
		code, codeErr := statusBytes(status, "RssFile:")
		if err == nil && codeErr == nil {
			return peak - code
		}
	}
	// Elsewhere what the runtime has ever asked for, which is an upper bound.
	sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64()) //nolint:gosec // no process has so much
}
