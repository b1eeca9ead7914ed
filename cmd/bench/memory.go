package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime/metrics"
)

// peakMemory is the most that this process has had of the machine's memory, in bytes.
//
// On Linux it is the high-water mark of this program alone. What the parent learns when the process ends (ru_maxrss) is no
// use: it begins with the memory of the parent, from which the process was forked.
func peakMemory() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if _, rest, ok := bytes.Cut(status, []byte("VmHWM:")); err == nil && ok {
		var kib int64
		if _, err := fmt.Fscan(bytes.NewReader(rest), &kib); err == nil {
			return kib << 10
		}
	}
	// Elsewhere what the runtime has ever asked for, which is an upper bound for all but the program's code.
	sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64()) //nolint:gosec // no process has so much
}
