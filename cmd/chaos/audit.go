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

// outcome is what the plan expects of an intent's workflow, and what Temporal says about it.
type outcome struct {
	workflowID    string
	expectFailure bool // the agent is scripted to fail
	cancelPlanned bool
	state         state
	closedAt      time.Time // set for a cancelled workflow
	// executionID comes from the result or the error. It is empty when an error names none.
	executionID                string
	errorType, reason, message string

	adopted bool
}

// auditResult holds the totals of an audit. Created does not count reruns.
type auditResult struct {
	Intents             int
	Created             int
	AliveDuplicates     int
	CancelledDuplicates int
	Reruns              int
	Lost                int
	Stuck               int

	// Duplicated is the number of intents with more than one execution. Adopted is the number of
	// workflows that report an adopted execution.
	Duplicated int
	Adopted    int
	ByState    map[state]int

	// Failures counts unexpected workflow failures by error type.
	Failures map[string]int

	// Findings has a line for each intent with alive duplicates, and for each lost and stuck item.
	Findings []string
}

// audit compares the outcomes in Temporal with the fake API's ledger of executions.
//
// An intent with n executions that were not cancelled has n-1 alive duplicates, whatever their
// status: the agent may have done the work twice. Lost is a workflow that disagrees with the ledger
// or the plan, an execution of an unknown workflow, or a person's rerun that was cancelled or
// adopted. Stuck is a workflow that did not close, or an execution that did not become terminal.
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
				r.addLost("execution %s of %s is a person's rerun and was cancelled", e.ID, workflowID)
			}
			continue
		}
		r.Created++
		own[workflowID] = append(own[workflowID], e)
		if !known[workflowID] {
			r.addLost("execution %s names the workflow %q, which was not started", e.ID, workflowID)
		}
	}
	for _, o := range outcomes {
		r.ByState[o.state]++
		if o.adopted {
			r.Adopted++
		}
		r.duplicates(o, own[o.workflowID])
		switch {
		case reruns[o.executionID]:
			r.addLost("%s adopted execution %s, which is a person's rerun", o.workflowID, o.executionID)
		case o.state == stateOpen:
			r.addStuck("%s is still open", o.workflowID)
		case o.state == stateCompleted:
			r.completed(o, own[o.workflowID])
		case o.state == stateFailed:
			r.failed(o, own[o.workflowID])
		case o.state == stateCancelled:
			r.cancelled(o, own[o.workflowID])
		}
	}
	return r
}

// duplicates counts an intent's executions beyond the first.
func (r *auditResult) duplicates(o outcome, executions []testsuite.Execution) {
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
		r.AliveDuplicates += len(others) - 1
		r.addFinding("alive duplicate: %s ran %d times: %v", o.workflowID, len(others), others)
	}
}

func (r *auditResult) completed(o outcome, executions []testsuite.Execution) {
	switch e, ok := namedExecution(o, executions); {
	case !ok:
		r.addLost("%s completed with execution %q, which the ledger does not list for it", o.workflowID, o.executionID)
	case e.Status != "completed":
		r.addLost("%s completed with execution %s, which is %s", o.workflowID, e.ID, e.Status)
	case o.expectFailure:
		r.addLost("%s completed, although its agent is scripted to fail", o.workflowID)
	}
}

// failed accepts only the scripted failures.
func (r *auditResult) failed(o outcome, executions []testsuite.Execution) {
	e, ok := namedExecution(o, executions)
	expected := o.expectFailure && o.errorType == asteroid.ErrorTypeExecutionFailed && o.reason == plannedFailure && ok && e.Status == "failed"
	if !expected {
		r.Failures[cmp.Or(o.errorType, "an error without a type")]++
		r.addLost("%s failed with %s: %s", o.workflowID, cmp.Or(o.errorType, "an error without a type"), o.message)
	}
}

// cancelled requires that every execution was cancelled, or terminal when the workflow closed.
func (r *auditResult) cancelled(o outcome, executions []testsuite.Execution) {
	if !o.cancelPlanned {
		r.addLost("%s was cancelled, although no cancellation was planned", o.workflowID)
	}
	for _, e := range executions {
		if e.Status != "cancelled" && (e.TerminalAt.IsZero() || e.TerminalAt.After(o.closedAt)) {
			r.addLost("%s was cancelled and closed at %s, but execution %s, created at %s, ran on and is %s", o.workflowID,
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

func (r *auditResult) addLost(format string, args ...any) {
	r.Lost++
	r.addFinding("lost: "+format, args...)
}

func (r *auditResult) addStuck(format string, args ...any) {
	r.Stuck++
	r.addFinding("stuck: "+format, args...)
}

func (r *auditResult) addFinding(format string, args ...any) {
	r.Findings = append(r.Findings, fmt.Sprintf(format, args...))
}

func terminal(status string) bool { return asteroid.Status(status).Terminal() }
