package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"
	"time"
)

// percentile returns the smallest value that the given fraction of the values does not exceed, or 0
// if there are none.
func percentile(values []float64, fraction float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(int(math.Ceil(fraction*float64(len(sorted)))), 1)-1]
}

func (w *waitResult) length() time.Duration { return w.end.at.Sub(w.start.at) }

func (w *waitResult) reads() int64 { return w.end.counts.Reads - w.start.counts.Reads }

func (w *waitResult) attempts() int64 { return w.end.counts.Attempts - w.start.counts.Attempts }

func (w *waitResult) perRunMinute(n float64) float64 {
	return n / float64(w.runs) / w.length().Minutes()
}

func (w *waitResult) cores(start, end usage) float64 {
	return (end.cpu - start.cpu).Seconds() / w.length().Seconds()
}

// waitFigures are the JSON of one way. Programs parse the members: new ones may be added, none
// changes.
type waitFigures struct {
	Way               way     `json:"way"`
	Runs              int     `json:"runs"`
	HeldSlots         float64 `json:"heldSlots"`
	EventsPerRun      float64 `json:"eventsPerRun"`
	ReadsPerRunMinute float64 `json:"readsPerRunMinute"`
	WorkerMiB         float64 `json:"workerMiB"`
	WorkerCores       float64 `json:"workerCores"`
	ProgressP50Ms     float64 `json:"progressP50Ms"`
	ProgressP95Ms     float64 `json:"progressP95Ms"`

	ProgressMaxMs        float64 `json:"progressMaxMs"`
	AttemptsPerRunMinute float64 `json:"attemptsPerRunMinute"`
	EventsPerRunMinute   float64 `json:"eventsPerRunMinute"`
	ServerMiB            float64 `json:"serverMiB"`
	ServerCores          float64 `json:"serverCores"`
	WorkerIdleMiB        float64 `json:"workerIdleMiB"` // before the first run
	ServerIdleMiB        float64 `json:"serverIdleMiB"`
	HeldSlotsMax         float64 `json:"heldSlotsMax"`
	ParkedSeconds        float64 `json:"parkedSeconds"` // until all runs were parked
	WindowSeconds        float64 `json:"windowSeconds"`
	Samples              int     `json:"samples"`
	Unseen               int     `json:"unseen"`

	// Ratios compare with the hand-written ways that were measured in the same run of bench.
	Ratios map[way]waitRatios `json:"ratios,omitempty"`
}

// waitRatios are 0 where the other way's figure is 0.
type waitRatios struct {
	HeldSlots     float64 `json:"heldSlots"`
	EventsPerRun  float64 `json:"eventsPerRun"`
	Reads         float64 `json:"readsPerRunMinute"`
	WorkerMiB     float64 `json:"workerMiB"`
	WorkerCores   float64 `json:"workerCores"`
	ServerCores   float64 `json:"serverCores"`
	ProgressP50Ms float64 `json:"progressP50Ms"`
}

func (w *waitResult) figures() waitFigures {
	return waitFigures{
		Way: w.way, Runs: w.runs,
		HeldSlots:         median(w.heldSlots),
		EventsPerRun:      rounded(w.end.events, 1),
		ReadsPerRunMinute: rounded(w.perRunMinute(float64(w.reads())), 4),
		WorkerMiB:         rounded(median(w.workerMemory)/mib, 1),
		WorkerCores:       rounded(w.cores(w.start.worker, w.end.worker), 4),
		ProgressP50Ms:     rounded(percentile(w.progress, 0.5), 1),
		ProgressP95Ms:     rounded(percentile(w.progress, 0.95), 1),

		ProgressMaxMs:        rounded(percentile(w.progress, 1), 1),
		AttemptsPerRunMinute: rounded(w.perRunMinute(float64(w.attempts())), 4),
		EventsPerRunMinute:   rounded(w.perRunMinute((w.end.events-w.start.events)*float64(w.runs)), 4),
		ServerMiB:            rounded(median(w.serverMemory)/mib, 1),
		ServerCores:          rounded(w.cores(w.start.server, w.end.server), 4),
		WorkerIdleMiB:        rounded(float64(w.idle.worker.memory)/mib, 1),
		ServerIdleMiB:        rounded(float64(w.idle.server.memory)/mib, 1),
		HeldSlotsMax:         percentile(w.heldSlots, 1),
		ParkedSeconds:        rounded(w.parkDuration.Seconds(), 1),
		WindowSeconds:        rounded(w.length().Seconds(), 1),
		Samples:              len(w.progress),
		Unseen:               w.timeouts,
	}
}

func (f waitFigures) ratiosTo(other waitFigures) waitRatios {
	return waitRatios{
		HeldSlots:     rounded(ratio(f.HeldSlots, other.HeldSlots), 4),
		EventsPerRun:  rounded(ratio(f.EventsPerRun, other.EventsPerRun), 3),
		Reads:         rounded(ratio(f.ReadsPerRunMinute, other.ReadsPerRunMinute), 4),
		WorkerMiB:     rounded(ratio(f.WorkerMiB, other.WorkerMiB), 3),
		WorkerCores:   rounded(ratio(f.WorkerCores, other.WorkerCores), 4),
		ServerCores:   rounded(ratio(f.ServerCores, other.ServerCores), 4),
		ProgressP50Ms: rounded(ratio(f.ProgressP50Ms, other.ProgressP50Ms), 4),
	}
}

// waitResults are the measured ways, in the order of allWays.
type waitResults []waitResult

func (results waitResults) figures() []waitFigures {
	figures := make([]waitFigures, len(results))
	for i := range results {
		figures[i] = results[i].figures()
	}
	for i, f := range figures {
		for _, other := range figures {
			if !f.Way.handWritten() && other.Way.handWritten() {
				if f.Ratios == nil {
					f.Ratios = map[way]waitRatios{}
				}
				f.Ratios[other.Way] = f.ratiosTo(other)
			}
		}
		figures[i] = f
	}
	return figures
}

// printJSON writes one object.
func (results waitResults) printJSON(out io.Writer) error {
	return json.NewEncoder(out).Encode(struct {
		Ways []waitFigures `json:"ways"`
	}{results.figures()})
}

// print writes the same as tables for people.
func (results waitResults) print(out io.Writer) {
	figures := results.figures()
	fmt.Fprintf(out, "%d runs are open at a time:\n\n", figures[0].Runs)
	for _, f := range figures {
		fmt.Fprintf(out, "  %-8s  %s\n", f.Way, f.Way.description())
	}
	fmt.Fprintln(out)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\tslots\tevents\tevents\treads\tattempts\tworker\tworker\tserver\tserver\tend to progress, ms\t\t\t")
	fmt.Fprintln(table, "\theld\tper run\tper run, min\tper run, min\tper run, min\tMiB\tcores\tMiB\tcores\thalf\t95 %\tall\t")
	for _, f := range figures {
		fmt.Fprintf(table, "%s\t%.0f\t%.1f\t%.2f\t%.3f\t%.3f\t%.0f\t%.3f\t%.0f\t%.3f\t%.0f\t%.0f\t%.0f\t\n", f.Way, f.HeldSlots, f.EventsPerRun,
			f.EventsPerRunMinute, f.ReadsPerRunMinute, f.AttemptsPerRunMinute, f.WorkerMiB, f.WorkerCores, f.ServerMiB, f.ServerCores,
			f.ProgressP50Ms, f.ProgressP95Ms, f.ProgressMaxMs)
	}
	_ = table.Flush() // a closed standard output does not fail the measurement
	printRatios(out, figures)
	for _, f := range figures {
		if f.Unseen > 0 {
			fmt.Fprintf(out, "\n%s: %d workflows did not notice the end of their run within %s; each counts as that long.\n", f.Way, f.Unseen, progressTimeout)
		}
	}
}

func printRatios(out io.Writer, figures []waitFigures) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\nas a multiple of\tslots\tevents\treads\tworker memory\tworker CPU\tserver CPU\tmedian to progress\t")
	rows := 0
	for _, f := range figures {
		for _, other := range allWays {
			r, ok := f.Ratios[other]
			if !ok {
				continue
			}
			rows++
			fmt.Fprintf(table, "%s / %s\t%.4f\t%.2f\t%.4f\t%.2f\t%.3f\t%.3f\t%.4f\t\n", f.Way, other,
				r.HeldSlots, r.EventsPerRun, r.Reads, r.WorkerMiB, r.WorkerCores, r.ServerCores, r.ProgressP50Ms)
		}
	}
	if rows > 0 {
		_ = table.Flush()
	}
}
