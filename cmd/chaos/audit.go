package main

import (
	"cmp"
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
	// stateTerminated is that of a workflow that somebody has terminated. Its agent works on.
	stateTerminated state = "terminated"
)

// outcome is what the plan expects of one intent, and how its workflow ended.
type outcome struct {
	intent        string // in the inputs of its executions
	workflowID    string
	expectFailure bool // the agent is scripted to fail
	cancelPlanned bool
	// terminatePlanned says that somebody terminates the workflow, unless it closes before.
	terminatePlanned bool
	// expectUnanswered says that nobody answers the agent, whose deadline for people cancels it.
	expectUnanswered bool
	// repeatsFailures says that a reset may run the agent again after its execution has failed.
	repeatsFailures bool

	state        state
	closedAt     time.Time // set for a cancelled workflow
	executionID  string    // from the result or the error; empty if an error names none
	resultIntent string    // the intent that the result names
	adopted      bool      // the result says that an earlier attempt started the execution

	errorType, reason, message string // of a workflow that did not complete
}

// auditResult holds the totals of an audit.
type auditResult struct {
	Intents int
	Created int // executions, without reruns
	// CancelledDuplicates are surplus executions that were cancelled, as the library does with
	// duplicates; Duplicated counts their intents.
	CancelledDuplicates, Duplicated int
	Reruns                          int
	Adopted                         int // workflows that report an adopted execution
	ByState                         map[state]int
	Failures                        map[string]int // unexpected workflow failures by error type
}

// audit compares the outcomes in Temporal with the fake API's ledger of executions.
func audit(outcomes []outcome, ledger []testsuite.Execution, found *findings) *auditResult {
	r := &auditor{
		auditResult: &auditResult{Intents: len(outcomes), ByState: map[state]int{}, Failures: map[string]int{}}, findings: found,
	}
	own := map[string][]testsuite.Execution{}
	reruns := map[string]bool{}
	known := map[string]string{}
	for _, o := range outcomes {
		known[o.intent] = o.workflowID
	}
	for _, e := range ledger {
		name, _ := e.Inputs[inputIntent].(string)
		if name == strangerIntent {
			if e.Status == "cancelled" {
				r.add(foundMismatch, "", "execution %s is a stranger's and was cancelled", e.ID)
			}
			continue
		}
		if !terminal(e.Status) {
			r.add(foundStuck, known[name], "execution %s of %s is still %s", e.ID, name, e.Status)
		}
		if e.ParentExecutionID != "" {
			r.Reruns++
			reruns[e.ID] = true
			if e.Status == "cancelled" {
				r.add(foundMismatch, known[name], "execution %s of %s is a person's rerun and was cancelled", e.ID, name)
			}
			continue
		}
		r.Created++
		own[name] = append(own[name], e)
		if known[name] == "" {
			r.add(foundMismatch, "", "execution %s has the intent %q, which nobody had", e.ID, name)
		}
	}
	counted := map[string]bool{}
	for _, o := range outcomes {
		r.ByState[o.state]++
		if o.adopted {
			r.Adopted++
		}
		if !counted[o.intent] { // two workflows may share it
			counted[o.intent] = true
			r.checkDuplicates(o, own[o.intent])
		}
		switch {
		case reruns[o.executionID]:
			r.add(foundMismatch, o.workflowID, "%s adopted execution %s, which is a person's rerun", o.intent, o.executionID)
		case o.state == stateOpen:
			r.add(foundStuck, o.workflowID, "%s is still open", o.intent)
		case o.state == stateCompleted:
			r.checkCompleted(o, own[o.intent])
		case o.state == stateFailed:
			r.checkFailed(o, own[o.intent])
		case o.state == stateCancelled:
			r.checkCancelled(o, own[o.intent])
		case o.state == stateTerminated && !o.terminatePlanned:
			r.add(foundMismatch, o.workflowID, "%s was terminated, although no termination was planned", o.intent)
		}
	}
	return r.auditResult
}

type auditor struct {
	*auditResult
	*findings
}

// checkDuplicates counts an intent's executions beyond the first.
func (r *auditor) checkDuplicates(o outcome, executions []testsuite.Execution) {
	var cancelled, others []string
	for _, e := range executions {
		switch {
		case e.Status == "cancelled":
			cancelled = append(cancelled, e.ID)
		case e.Status == "failed" && o.repeatsFailures:
		default:
			others = append(others, e.ID+" ("+e.Status+")")
		}
	}
	if len(executions) > 1 {
		r.Duplicated++
		r.CancelledDuplicates += min(len(cancelled), len(executions)-1)
	}
	for i := range others[min(len(others), 1):] {
		r.add(foundDuplicate, o.workflowID, "%s ran %d times: %v", o.intent, i+2, others[:i+2])
	}
}

// checkCompleted requires that the execution of the result has completed, too, and that the result
// is that of the intent.
func (r *auditor) checkCompleted(o outcome, executions []testsuite.Execution) {
	switch e, ok := namedExecution(o, executions); {
	case !ok:
		r.add(foundMismatch, o.workflowID, "%s completed with execution %q, which the ledger does not list for it", o.intent, o.executionID)
	case e.Status != "completed":
		r.add(foundMismatch, o.workflowID, "%s completed with execution %s, which is %s", o.intent, e.ID, e.Status)
	case o.expectFailure:
		r.add(foundMismatch, o.workflowID, "%s completed, although its agent is scripted to fail", o.intent)
	case o.expectUnanswered:
		r.add(foundMismatch, o.workflowID, "%s completed, although nobody answered its agent", o.intent)
	}
	if o.resultIntent != o.intent {
		r.add(foundWrongResult, o.workflowID, "%s completed with the result of %q", o.intent, o.resultIntent)
	}
}

// checkFailed accepts only the scripted failures.
func (r *auditor) checkFailed(o outcome, executions []testsuite.Execution) {
	e, ok := namedExecution(o, executions)
	expected := o.expectFailure && o.errorType == asteroid.ErrorTypeExecutionFailed && o.reason == plannedFailure && ok && e.Status == "failed"
	unanswered := o.expectUnanswered && o.errorType == asteroid.ErrorTypeExecutionTimedOut && ok && e.Status == "cancelled"
	if !expected && !unanswered {
		r.Failures[cmp.Or(o.errorType, "an error without a type")]++
		r.add(foundMismatch, o.workflowID, "%s failed with %s: %s", o.intent, cmp.Or(o.errorType, "an error without a type"), o.message)
	}
}

// checkCancelled requires that every execution was cancelled, or terminal when the workflow closed.
func (r *auditor) checkCancelled(o outcome, executions []testsuite.Execution) {
	if !o.cancelPlanned {
		r.add(foundMismatch, o.workflowID, "%s was cancelled, although no cancellation was planned", o.intent)
	}
	for _, e := range executions {
		if e.Status != "cancelled" && (e.TerminalAt.IsZero() || e.TerminalAt.After(o.closedAt)) {
			r.add(foundMismatch, o.workflowID, "%s was cancelled and closed at %s, but execution %s, created at %s, ran on and is %s",
				o.intent, o.closedAt.Format(clock), e.ID, e.CreatedAt.Format(clock), e.Status)
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

func terminal(status string) bool { return asteroid.Status(status).Terminal() }
