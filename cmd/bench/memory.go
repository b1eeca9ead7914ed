package main

import (
	"os"
	"runtime/metrics"
)

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
