package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"
)

// report is the result of a run.
type report struct {
	*counts
	seed     uint64
	kills    int
	restarts int
	requests int // that were to start an agent
	took     time.Duration
}

// bad reports whether something was found that must not be.
func (r *report) bad() bool { return r.AliveDuplicates+r.Lost+r.Stuck > 0 }

// printJSON writes one object, whose members are for programs and do not change.
func (r *report) printJSON(out io.Writer) error {
	return json.NewEncoder(out).Encode(struct {
		Seed                uint64  `json:"seed"`
		Intents             int     `json:"intents"`
		Created             int     `json:"created"`
		AliveDuplicates     int     `json:"aliveDuplicates"`
		CancelledDuplicates int     `json:"cancelledDuplicates"`
		Reruns              int     `json:"reruns"`
		Lost                int     `json:"lost"`
		Stuck               int     `json:"stuck"`
		WorkerKills         int     `json:"workerKills"`
		Seconds             float64 `json:"seconds"`
	}{
		r.seed, r.Intents, r.Created, r.AliveDuplicates, r.CancelledDuplicates, r.Reruns, r.Lost, r.Stuck, r.kills,
		r.took.Round(100 * time.Millisecond).Seconds(),
	})
}

// print writes the same for people, with what it means.
func (r *report) print(out io.Writer) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name string, value any, note string) { fmt.Fprintf(table, "%s\t%v\t%s\n", name, value, note) }
	row("seed", r.seed, "")
	row("intents", r.Intents, fmt.Sprintf("workflows, of which %d completed, %d failed, %d were cancelled",
		r.ByState[stateCompleted], r.ByState[stateFailed], r.ByState[stateCancelled]))
	row("created", r.Created, fmt.Sprintf("executions, by %d requests; %d workflows found theirs instead of starting it", r.requests, r.Adopted))
	row("alive duplicates", r.AliveDuplicates, "executions that did an intent's work once more")
	row("cancelled duplicates", r.CancelledDuplicates, fmt.Sprintf("executions too many, of %d intents, that were ended at work", r.Duplicated))
	row("reruns", r.Reruns, "made by people, which nobody may touch")
	row("lost", r.Lost, "results, cancellations or reruns that went wrong")
	row("stuck", r.Stuck, "workflows or executions that did not end")
	row("worker kills", r.kills, fmt.Sprintf("and %d restarts of the Temporal server", r.restarts))
	row("seconds", r.took.Round(100*time.Millisecond).Seconds(), "")
	_ = table.Flush() // a reader that went away is no failure of the work
	fmt.Fprintln(out)
	if r.Created > r.Intents-r.ByState[stateCancelled] || r.CancelledDuplicates > 0 {
		fmt.Fprintln(out, "The API takes no idempotency key. When the answer to an execute is lost, the activity looks for the execution during a grace")
		fmt.Fprintln(out, "period before it sends another. A request that is carried out later than that makes a duplicate: some here were, on purpose.")
		fmt.Fprintln(out, "The activity's next look or the sweep at the end of RunAgent finds it and cancels the younger one. None may be left alive.")
	}
	if !adoption {
		fmt.Fprintln(out, "This build's workers find nothing that was started before (-tags noadoption): duplicates are what it is to show.")
	}
}

// maxFindings bounds what is printed: a thousand of them have one cause.
const maxFindings = 50

func (r *report) printFindings(out io.Writer) {
	for _, errorType := range slices.Sorted(maps.Keys(r.Failures)) {
		fmt.Fprintf(out, "%d workflows failed with %s and should not have\n", r.Failures[errorType], errorType)
	}
	for i, finding := range r.Findings {
		if i == maxFindings {
			fmt.Fprintf(out, "... and %d more\n", len(r.Findings)-i)
			break
		}
		fmt.Fprintln(out, finding)
	}
}
