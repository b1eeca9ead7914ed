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

// percentile is the smallest value that so large a part of all values does not exceed, or 0 if there are none.
func percentile(values []float64, part float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(int(math.Ceil(part*float64(len(sorted)))), 1)-1]
}

func (w *waited) length() time.Duration { return w.ended.at.Sub(w.began.at) }

func (w *waited) reads() int64 { return w.ended.counts.Reads - w.began.counts.Reads }

func (w *waited) attempts() int64 { return w.ended.counts.Attempts - w.began.counts.Attempts }

func (w *waited) perRunMinute(n float64) float64 { return n / float64(w.runs) / w.length().Minutes() }

func (w *waited) cores(began, ended usage) float64 {
	return (ended.cpu - began.cpu).Seconds() / w.length().Seconds()
}

// waitFigures are for programs: their members do not change, but some may come.
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

	// Ratios are to the hand-written ways of the same run.
	Ratios map[way]waitRatios `json:"ratios,omitempty"`
}

// waitRatios are 0 where there is nothing to compare with.
type waitRatios struct {
	HeldSlots     float64 `json:"heldSlots"`
	EventsPerRun  float64 `json:"eventsPerRun"`
	Reads         float64 `json:"readsPerRunMinute"`
	WorkerMiB     float64 `json:"workerMiB"`
	WorkerCores   float64 `json:"workerCores"`
	ServerCores   float64 `json:"serverCores"`
	ProgressP50Ms float64 `json:"progressP50Ms"`
}

func (w *waited) figures() waitFigures {
	return waitFigures{
		Way: w.way, Runs: w.runs,
		HeldSlots:         median(w.held),
		EventsPerRun:      rounded(w.ended.events, 1),
		ReadsPerRunMinute: rounded(w.perRunMinute(float64(w.reads())), 4),
		WorkerMiB:         rounded(median(w.worker)/mib, 1),
		WorkerCores:       rounded(w.cores(w.began.worker, w.ended.worker), 4),
		ProgressP50Ms:     rounded(percentile(w.progress, 0.5), 1),
		ProgressP95Ms:     rounded(percentile(w.progress, 0.95), 1),

		ProgressMaxMs:        rounded(percentile(w.progress, 1), 1),
		AttemptsPerRunMinute: rounded(w.perRunMinute(float64(w.attempts())), 4),
		EventsPerRunMinute:   rounded(w.perRunMinute((w.ended.events-w.began.events)*float64(w.runs)), 4),
		ServerMiB:            rounded(median(w.server)/mib, 1),
		ServerCores:          rounded(w.cores(w.began.server, w.ended.server), 4),
		WorkerIdleMiB:        rounded(float64(w.idle.worker.memory)/mib, 1),
		ServerIdleMiB:        rounded(float64(w.idle.server.memory)/mib, 1),
		HeldSlotsMax:         percentile(w.held, 1),
		ParkedSeconds:        rounded(w.parked.Seconds(), 1),
		WindowSeconds:        rounded(w.length().Seconds(), 1),
		Samples:              len(w.progress),
		Unseen:               w.unseen,
	}
}

func (f waitFigures) to(other waitFigures) waitRatios {
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

// waits are the ways in the order of allWays.
type waits []waited

func (all waits) figures() []waitFigures {
	figures := make([]waitFigures, len(all))
	for i := range all {
		figures[i] = all[i].figures()
	}
	for i, f := range figures {
		for _, other := range figures {
			if !f.Way.byHand() && other.Way.byHand() {
				if f.Ratios == nil {
					f.Ratios = map[way]waitRatios{}
				}
				f.Ratios[other.Way] = f.to(other)
			}
		}
		figures[i] = f
	}
	return figures
}

// printJSON writes one object for programs.
func (all waits) printJSON(out io.Writer) error {
	return json.NewEncoder(out).Encode(struct {
		Ways []waitFigures `json:"ways"`
	}{all.figures()})
}

// print writes the same for people.
func (all waits) print(out io.Writer) {
	figures := all.figures()
	fmt.Fprintf(out, "%d runs are waited for at a time:\n\n", figures[0].Runs)
	for _, f := range figures {
		fmt.Fprintf(out, "  %-8s  %s\n", f.Way, f.Way.does())
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
	_ = table.Flush() // a reader that went away is no failure of the work
	printRatios(out, figures)
	for _, f := range figures {
		if f.Unseen > 0 {
			fmt.Fprintf(out, "\n%s: %d ends were not heard of within %s, and count as that.\n", f.Way, f.Unseen, unseenAfter)
		}
	}
}

func printRatios(out io.Writer, figures []waitFigures) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\nas a multiple of\tslots\tevents\treads\tworker memory\tworker CPU\tserver CPU\tmedian to progress\t")
	some := false
	for _, f := range figures {
		for _, by := range allWays {
			r, ok := f.Ratios[by]
			if !ok {
				continue
			}
			some = true
			fmt.Fprintf(table, "%s / %s\t%.4f\t%.2f\t%.4f\t%.2f\t%.3f\t%.3f\t%.4f\t\n", f.Way, by,
				r.HeldSlots, r.EventsPerRun, r.Reads, r.WorkerMiB, r.WorkerCores, r.ServerCores, r.ProgressP50Ms)
		}
	}
	if some {
		_ = table.Flush() // the same
	}
}
