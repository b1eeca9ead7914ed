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
	findings *findings
	kinds    map[kind]int // how often each fired
	stories  stories
	replayed int // histories

	settings settings
	kills    int
	restarts int
	requests int // execute requests
	elapsed  time.Duration
}

// bad reports whether the run left a finding, or missed a kind of trouble that it should have met.
func (r *report) bad() bool { return len(r.findings.all) > 0 || len(r.missed()) > 0 }

// missed returns the kinds of trouble that a full run should have met but has not.
func (r *report) missed() []kind {
	if r.settings.runs < fullRun {
		return nil
	}
	return neverFired(r.kinds)
}

// printJSON writes one object. Programs parse its members, so two keep names that differ from those
// of the table: aliveDuplicates counts the uncancelled duplicates, and lost the mismatches.
func (r *report) printJSON(out io.Writer) error {
	found := r.findings.counts()
	return json.NewEncoder(out).Encode(struct {
		Seed                uint64       `json:"seed"`
		Intents             int          `json:"intents"`
		Created             int          `json:"created"`
		AliveDuplicates     int          `json:"aliveDuplicates"`
		CancelledDuplicates int          `json:"cancelledDuplicates"`
		Reruns              int          `json:"reruns"`
		Lost                int          `json:"lost"`
		Stuck               int          `json:"stuck"`
		WrongResults        int          `json:"wrongResults"`
		MisplacedAnswers    int          `json:"misplacedAnswers"`
		BrokenFiles         int          `json:"brokenFiles"`
		OverLimits          int          `json:"overLimits"`
		WrongRows           int          `json:"wrongRows"`
		FailedWorkflowTasks int          `json:"failedWorkflowTasks"`
		Replayed            int          `json:"replayed"`
		Unreplayable        int          `json:"unreplayable"`
		KeysInTheOpen       int          `json:"keysInTheOpen"`
		WorkerKills         int          `json:"workerKills"`
		Kinds               map[kind]int `json:"kinds"`
		NeverFired          []kind       `json:"neverFired"`
		Seconds             float64      `json:"seconds"`
	}{
		r.settings.seed, r.Intents, r.Created, found[foundDuplicate], r.CancelledDuplicates, r.Reruns, found[foundMismatch], found[foundStuck],
		found[foundWrongResult], found[foundMisplacedAnswer], found[foundBrokenFile], found[foundOverLimit], found[foundWrongRows],
		found[foundFailedTask], r.replayed, found[foundUnreplayable], found[foundKey], r.kills, r.kinds, neverFired(r.kinds), r.elapsed.Round(100 * time.Millisecond).Seconds(),
	})
}

// print writes the same as a table with explanations for people.
func (r *report) print(out io.Writer) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name string, value any, note string) { fmt.Fprintf(table, "%s\t%v\t%s\n", name, value, note) }
	found := r.findings.counts()
	row("seed", r.settings.seed, "")
	row("intents", r.Intents, fmt.Sprintf("agent runs, of which %d completed, %d failed, %d were cancelled",
		r.ByState[stateCompleted], r.ByState[stateFailed], r.ByState[stateCancelled]))
	row("created", r.Created, fmt.Sprintf("executions, by %d requests; %d workflows adopted theirs", r.requests, r.Adopted))
	row("cancelled duplicates", r.CancelledDuplicates, fmt.Sprintf("surplus executions, of %d intents, that were cancelled", r.Duplicated))
	row("reruns", r.Reruns, "made by people; no workflow may adopt or cancel them")
	row("replayed", r.replayed, "histories, with the current code")
	row("worker kills", r.kills, fmt.Sprintf("and %d restarts of the Temporal server", r.restarts))
	row("seconds", r.elapsed.Round(100*time.Millisecond).Seconds(), "")
	row("", "", "")
	for _, c := range classes {
		row(string(c), found[c], notes[c])
	}
	row("", "", "")
	for _, k := range kinds {
		row(string(k), r.kinds[k], "")
	}
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

// notes explain the classes of findings.
var notes = map[class]string{
	foundDuplicate:       "executions that may have done an intent's work again",
	foundMismatch:        "results, cancellations or reruns that differ from the plan or the ledger",
	foundStuck:           "workflows that did not close, or executions that are not terminal",
	foundWrongResult:     "results of another agent, or of other inputs",
	foundMisplacedAnswer: "answers and messages that were lost, repeated, or reached another question",
	foundBrokenFile:      "saved files that are not whole, and what saves left over",
	foundOverLimit:       "agents at work at once with one profile, more than its limit allows",
	foundWrongRows:       "rows that the results of a batch lack, repeat or report wrongly, and parts left over",
	foundFailedTask:      "failed workflow tasks, but for those that the server repeats by design",
	foundUnreplayable:    "histories that the current code does not replay",
	foundKey:             "histories and logs that hold the API key",
}

const (
	maxFindings = 50 // that are printed: many findings usually have one cause
	maxStories  = 3
)

// printFindings prints the findings, the stories of the first ones, the kinds of trouble that the
// run has missed, and the command that repeats it.
func (r *report) printFindings(out io.Writer) {
	if !r.bad() {
		return
	}
	for _, errorType := range slices.Sorted(maps.Keys(r.Failures)) {
		fmt.Fprintf(out, "%d workflows failed unexpectedly with %s\n", r.Failures[errorType], errorType)
	}
	var told []string
	for i, found := range r.findings.all {
		if i == maxFindings {
			fmt.Fprintf(out, "... and %d more\n", len(r.findings.all)-i)
			break
		}
		fmt.Fprintf(out, "%s: %s\n", found.class, found.text)
		if id := found.workflowID; id != "" && len(told) < maxStories && !slices.Contains(told, id) {
			told = append(told, id)
		}
	}
	for _, id := range told {
		fmt.Fprintf(out, "\nthe story of %s:\n%s", id, r.stories[id])
	}
	for _, k := range r.missed() {
		fmt.Fprintf(out, "never happened: %s\n", k)
	}
	fmt.Fprintf(out, "to repeat the plan: go run ./cmd/chaos %s\n", r.settings)
}
