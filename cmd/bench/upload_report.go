package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"
)

const (
	mib = 1 << 20
	gib = 1 << 30
)

// mbps returns the speed in 10^6 bytes per second.
func (u *uploads) mbps(t transfer) float64 { return ratio(float64(u.size)/1e6, t.Seconds) }

// cpuPerGiB returns the client's CPU time per GiB in seconds.
func (u *uploads) cpuPerGiB(t transfer) float64 { return t.CPU.Seconds() * gib / float64(u.size) }

func peakMiB(t transfer) float64 { return float64(t.PeakMemory) / mib }

// lastRound returns the speeds of the last round as one line.
func (u *uploads) lastRound() string {
	last := func(transfers []transfer) float64 { return u.mbps(transfers[len(transfers)-1]) }
	text := fmt.Sprintf("plain copy %.0f MB/s, ", last(u.raw))
	if len(u.curl) > 0 {
		text += fmt.Sprintf("curl -F %.0f MB/s, ", last(u.curl))
	}
	return text + fmt.Sprintf("StageFiles %.0f MB/s", last(u.stage))
}

// printJSON writes one object. Programs parse its members, so they do not change.
func (u *uploads) printJSON(out io.Writer) error {
	raw, curl, stage := medianOf(u.raw, u.mbps), medianOf(u.curl, u.mbps), medianOf(u.stage, u.mbps)
	return json.NewEncoder(out).Encode(struct {
		RawMBps          float64 `json:"rawMBps"`
		CurlMBps         float64 `json:"curlMBps"`
		StageMBps        float64 `json:"stageMBps"`
		RatioToRaw       float64 `json:"ratioToRaw"`
		RatioToCurl      float64 `json:"ratioToCurl"`
		CPUSecondsPerGiB float64 `json:"cpuSecondsPerGiB"`
		MemoryGrowthMiB  float64 `json:"memoryGrowthMiB"`
	}{
		rounded(raw, 1), rounded(curl, 1), rounded(stage, 1), rounded(ratio(stage, raw), 3), rounded(ratio(stage, curl), 3),
		rounded(medianOf(u.stage, u.cpuPerGiB), 3), rounded(medianOf(u.stage, peakMiB)-medianOf(u.small, peakMiB), 2),
	})
}

// print writes a table for people, with the CPU time of every client, and the memory of StageFiles.
func (u *uploads) print(out io.Writer) {
	fmt.Fprintf(out, "%d bytes over loopback, the median of %d rounds:\n\n", u.size, len(u.stage))
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\tMB/s\tStageFiles is\tclient CPU, s/GiB\t")
	for _, client := range []struct {
		name      string
		transfers []transfer
	}{{"plain TCP copy, 32 KiB steps", u.raw}, {"curl -F", u.curl}, {"StageFiles", u.stage}} {
		if len(client.transfers) == 0 {
			fmt.Fprintf(table, "%s\tnot installed\t\t\t\n", client.name)
			continue
		}
		speed := medianOf(client.transfers, u.mbps)
		relative := ratio(medianOf(u.stage, u.mbps), speed)
		fmt.Fprintf(table, "%s\t%.0f\t%.2f times as fast\t%.2f\t\n", client.name, speed, relative, medianOf(client.transfers, u.cpuPerGiB))
	}
	_ = table.Flush() // a closed standard output does not fail the measurement
	large, small := medianOf(u.stage, peakMiB), medianOf(u.small, peakMiB)
	fmt.Fprintf(out, "\nStageFiles used %.1f MiB of memory at its peak. With a file of %d KiB it used %.1f MiB, %.1f MiB less.\n",
		large, min(smallSize, u.size)>>10, small, large-small)
}

// medianOf returns the median of one property of the transfers, or 0 if there are none.
func medianOf(transfers []transfer, property func(transfer) float64) float64 {
	values := make([]float64, len(transfers))
	for i, t := range transfers {
		values[i] = property(t)
	}
	return median(values)
}

// median returns the median of the values, or 0 if there are none.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	switch middle := len(sorted) / 2; {
	case len(sorted) == 0:
		return 0
	case len(sorted)%2 == 1:
		return sorted[middle]
	default:
		return (sorted[middle-1] + sorted[middle]) / 2
	}
}

// ratio returns a/b, or 0 if b is 0.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// rounded rounds to a number of digits after the decimal point.
func rounded(value float64, digits int) float64 {
	shift := math.Pow10(digits)
	return math.Round(value*shift) / shift
}
