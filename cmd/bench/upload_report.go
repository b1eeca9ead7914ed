package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"
)

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

// medianOf returns the median of one property of the transfers.
func medianOf(transfers []transfer, property func(transfer) float64) float64 {
	values := make([]float64, len(transfers))
	for i, t := range transfers {
		values[i] = property(t)
	}
	return median(values)
}

// ratio returns a/b, or 0 if b is 0: there is nothing to compare with.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

func rounded(value float64, digits int) float64 {
	shift := math.Pow10(digits)
	return math.Round(value*shift) / shift
}

const (
	mib = 1 << 20
	gib = 1 << 30
)

// mbps returns the speed in 10^6 bytes per second.
func (u *uploads) mbps(t transfer) float64 { return ratio(float64(u.size)/1e6, t.Seconds) }

func (u *uploads) cpuPerGiB(t transfer) float64 { return t.CPU.Seconds() * gib / float64(u.size) }

func memoryMiB(t transfer) float64 { return float64(t.PeakMemory) / mib }

func (u *uploads) lastRound() string {
	text := fmt.Sprintf("plain copy %.0f MB/s, ", u.mbps(u.raw[len(u.raw)-1]))
	if len(u.curl) > 0 {
		text += fmt.Sprintf("curl -F %.0f MB/s, ", u.mbps(u.curl[len(u.curl)-1]))
	}
	return text + fmt.Sprintf("StageFiles %.0f MB/s", u.mbps(u.stage[len(u.stage)-1]))
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
		rounded(medianOf(u.stage, u.cpuPerGiB), 3), rounded(medianOf(u.stage, memoryMiB)-medianOf(u.small, memoryMiB), 2),
	})
}

// print writes a table for people, with the CPU time of every client and both memory peaks.
func (u *uploads) print(out io.Writer) {
	stage := medianOf(u.stage, u.mbps)
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
		fmt.Fprintf(table, "%s\t%.0f\t%.2f times as fast\t%.2f\t\n", client.name, speed, ratio(stage, speed), medianOf(client.transfers, u.cpuPerGiB))
	}
	_ = table.Flush() // a closed standard output does not fail the measurement
	few, many := medianOf(u.small, memoryMiB), medianOf(u.stage, memoryMiB)
	fmt.Fprintf(out, "\nStageFiles used at most %.1f MiB, and %.1f MiB for a file of %d KiB: it grew by %.1f MiB.\n", many, few, min(smallSize, u.size)>>10, many-few)
}
