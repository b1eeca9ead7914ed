package main

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

// state is a workflow's state at the end of the run.
type state string

const (
	stateOpen      state = ""
	stateCompleted state = "completed"
	stateFailed    state = "failed"
	stateCancelled state = "cancelled"
)

// outcome is what the plan expects of an intent's workflow, and how the workflow ended.
type outcome struct {
	workflowID    string
	expectFailure bool // the agent is scripted to fail
	cancelPlanned bool

	state       state
	closedAt    time.Time // set for a cancelled workflow
	executionID string    // from the result or the error; empty if an error names none
	adopted     bool      // the result says that an earlier attempt started the execution

	errorType, reason, message string // of a workflow that did not complete
}

// auditResult holds the totals of an audit.
type auditResult struct {
	Intents int
	Created int // executions, without reruns
	// UncancelledDuplicates is n-1 for each intent with n executions that were not cancelled,
	// whatever their status: the agent may have done the work n times.
	UncancelledDuplicates int
	CancelledDuplicates   int
	Reruns                int
	// Mismatches are workflows that disagree with the ledger or the plan, executions of an unknown
	// workflow, and people's reruns that were cancelled or adopted.
	Mismatches int
	Stuck      int // workflows that did not close, and executions that did not become terminal

	Duplicated int // intents with more than one execution
	Adopted    int // workflows that report an adopted execution
	ByState    map[state]int
	Failures   map[string]int // unexpected workflow failures by error type

	// Findings has a line for each intent with uncancelled duplicates, each mismatch and each stuck
	// item.
	Findings []string
}

// audit compares the outcomes in Temporal with the fake API's ledger of executions.
func audit(outcomes []outcome, ledger []testsuite.Execution) *auditResult {
	r := &auditResult{Intents: len(outcomes), ByState: map[state]int{}, Failures: map[string]int{}}
	own := map[string][]testsuite.Execution{}
	reruns := map[string]bool{}
	known := map[string]bool{}
	for _, o := range outcomes {
		known[o.workflowID] = true
	}
	for _, e := range ledger {
		workflowID := e.Metadata[asteroid.MetadataWorkflowID]
		if !terminal(e.Status) {
			r.addStuck("execution %s of %s is still %s", e.ID, workflowID, e.Status)
		}
		if e.ParentExecutionID != "" {
			r.Reruns++
			reruns[e.ID] = true
			if e.Status == "cancelled" {
				r.addMismatch("execution %s of %s is a person's rerun and was cancelled", e.ID, workflowID)
			}
			continue
		}
		r.Created++
		own[workflowID] = append(own[workflowID], e)
		if !known[workflowID] {
			r.addMismatch("execution %s names the workflow %q, which was not started", e.ID, workflowID)
		}
	}
	for _, o := range outcomes {
		r.ByState[o.state]++
		if o.adopted {
			r.Adopted++
		}
		r.checkDuplicates(o, own[o.workflowID])
		switch {
		case reruns[o.executionID]:
			r.addMismatch("%s adopted execution %s, which is a person's rerun", o.workflowID, o.executionID)
		case o.state == stateOpen:
			r.addStuck("%s is still open", o.workflowID)
		case o.state == stateCompleted:
			r.checkCompleted(o, own[o.workflowID])
		case o.state == stateFailed:
			r.checkFailed(o, own[o.workflowID])
		case o.state == stateCancelled:
			r.checkCancelled(o, own[o.workflowID])
		}
	}
	return r
}

// checkDuplicates counts an intent's executions beyond the first.
func (r *auditResult) checkDuplicates(o outcome, executions []testsuite.Execution) {
	var cancelled, others []string
	for _, e := range executions {
		if e.Status == "cancelled" {
			cancelled = append(cancelled, e.ID)
		} else {
			others = append(others, e.ID+" ("+e.Status+")")
		}
	}
	if len(executions) > 1 {
		r.Duplicated++
		r.CancelledDuplicates += min(len(cancelled), len(executions)-1)
	}
	if len(others) > 1 {
		r.UncancelledDuplicates += len(others) - 1
		r.addFinding("uncancelled duplicate: %s ran %d times: %v", o.workflowID, len(others), others)
	}
}

// checkCompleted requires that the execution of the result has completed, too.
func (r *auditResult) checkCompleted(o outcome, executions []testsuite.Execution) {
	switch e, ok := namedExecution(o, executions); {
	case !ok:
		r.addMismatch("%s completed with execution %q, which the ledger does not list for it", o.workflowID, o.executionID)
	case e.Status != "completed":
		r.addMismatch("%s completed with execution %s, which is %s", o.workflowID, e.ID, e.Status)
	case o.expectFailure:
		r.addMismatch("%s completed, although its agent is scripted to fail", o.workflowID)
	}
}

// checkFailed accepts only the scripted failures.
func (r *auditResult) checkFailed(o outcome, executions []testsuite.Execution) {
	e, ok := namedExecution(o, executions)
	expected := o.expectFailure && o.errorType == asteroid.ErrorTypeExecutionFailed && o.reason == plannedFailure && ok && e.Status == "failed"
	if !expected {
		r.Failures[cmp.Or(o.errorType, "an error without a type")]++
		r.addMismatch("%s failed with %s: %s", o.workflowID, cmp.Or(o.errorType, "an error without a type"), o.message)
	}
}

// checkCancelled requires that every execution was cancelled, or terminal when the workflow closed.
func (r *auditResult) checkCancelled(o outcome, executions []testsuite.Execution) {
	if !o.cancelPlanned {
		r.addMismatch("%s was cancelled, although no cancellation was planned", o.workflowID)
	}
	for _, e := range executions {
		if e.Status != "cancelled" && (e.TerminalAt.IsZero() || e.TerminalAt.After(o.closedAt)) {
			r.addMismatch("%s was cancelled and closed at %s, but execution %s, created at %s, ran on and is %s", o.workflowID,
				o.closedAt.Format(clock), e.ID, e.CreatedAt.Format(clock), e.Status)
		}
	}
}

const clock = "15:04:05.000"

// namedExecution returns the execution that the outcome names, if it belongs to that workflow.
func namedExecution(o outcome, executions []testsuite.Execution) (testsuite.Execution, bool) {
	i := slices.IndexFunc(executions, func(e testsuite.Execution) bool { return e.ID == o.executionID })
	if i < 0 {
		return testsuite.Execution{}, false
	}
	return executions[i], true
}

func (r *auditResult) addMismatch(format string, args ...any) {
	r.Mismatches++
	r.addFinding("mismatch: "+format, args...)
}

func (r *auditResult) addStuck(format string, args ...any) {
	r.Stuck++
	r.addFinding("stuck: "+format, args...)
}

func (r *auditResult) addFinding(format string, args ...any) {
	r.Findings = append(r.Findings, fmt.Sprintf(format, args...))
}

func terminal(status string) bool { return asteroid.Status(status).Terminal() }
