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

// report is the audit of a run, with what the run did.
type report struct {
	*auditResult
	seed     uint64
	kills    int
	restarts int
	requests int // execute requests
	elapsed  time.Duration
}

// bad reports whether an intent was not carried out exactly once.
func (r *report) bad() bool { return r.UncancelledDuplicates+r.Mismatches+r.Stuck > 0 }

// printJSON writes one object. Programs parse its members, so two keep names that differ from those
// of the table: aliveDuplicates counts the uncancelled duplicates, and lost the mismatches.
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
		r.seed, r.Intents, r.Created, r.UncancelledDuplicates, r.CancelledDuplicates, r.Reruns, r.Mismatches, r.Stuck, r.kills,
		r.elapsed.Round(100 * time.Millisecond).Seconds(),
	})
}

// print writes the same as a table with explanations for people.
func (r *report) print(out io.Writer) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name string, value any, note string) { fmt.Fprintf(table, "%s\t%v\t%s\n", name, value, note) }
	row("seed", r.seed, "")
	row("intents", r.Intents, fmt.Sprintf("workflows, of which %d completed, %d failed, %d were cancelled",
		r.ByState[stateCompleted], r.ByState[stateFailed], r.ByState[stateCancelled]))
	row("created", r.Created, fmt.Sprintf("executions, by %d requests; %d workflows adopted theirs", r.requests, r.Adopted))
	row("uncancelled duplicates", r.UncancelledDuplicates, "executions that may have done an intent's work again")
	row("cancelled duplicates", r.CancelledDuplicates, fmt.Sprintf("surplus executions, of %d intents, that were cancelled", r.Duplicated))
	row("reruns", r.Reruns, "made by people; no workflow may adopt or cancel them")
	row("mismatches", r.Mismatches, "results, cancellations or reruns that differ from the plan or the ledger")
	row("stuck", r.Stuck, "workflows that did not close, or executions that are not terminal")
	row("worker kills", r.kills, fmt.Sprintf("and %d restarts of the Temporal server", r.restarts))
	row("seconds", r.elapsed.Round(100*time.Millisecond).Seconds(), "")
	_ = table.Flush() // a closed standard output does not fail the run
	fmt.Fprintln(out)
	if r.Created > r.Intents-r.ByState[stateCancelled] || r.CancelledDuplicates > 0 {
		fmt.Fprintln(out, "The API has no idempotency key. After a lost response to an execute, the activity looks up the execution for a grace period")
		fmt.Fprintln(out, "before it sends another request. A request that is carried out after that creates a duplicate; this plan contains some.")
		fmt.Fprintln(out, "The activity's next lookup or the sweep at the end of RunAgent cancels the younger execution. None may stay uncancelled.")
	}
	if !adoption {
		fmt.Fprintln(out, "The workers of this build adopt nothing (-tags noadoption), so duplicates are expected.")
	}
}

// maxFindings bounds the printed findings: many findings usually have one cause.
const maxFindings = 50

func (r *report) printFindings(out io.Writer) {
	for _, errorType := range slices.Sorted(maps.Keys(r.Failures)) {
		fmt.Fprintf(out, "%d workflows failed unexpectedly with %s\n", r.Failures[errorType], errorType)
	}
	for i, finding := range r.Findings {
		if i == maxFindings {
			fmt.Fprintf(out, "... and %d more\n", len(r.Findings)-i)
			break
		}
		fmt.Fprintln(out, finding)
	}
}
