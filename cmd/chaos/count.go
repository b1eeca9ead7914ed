package main

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

// state is how a workflow ended.
type state string

const (
	stateOpen      state = "" // it did not
	stateCompleted state = "completed"
	stateFailed    state = "failed"
	stateCancelled state = "cancelled"
)

// outcome is what became of an intent's workflow, as Temporal tells it.
type outcome struct {
	workflowID  string
	meantToFail bool // its agent does
	cancelAsked bool
	state       state
	closedAt    time.Time // of a cancelled one
	// executionID is the one that the result or the error names; an error need not name one.
	executionID                string
	errorType, reason, message string

	adopted             bool
	duplicatesCancelled int
}

// counts are what was found. Created leaves reruns aside.
type counts struct {
	Intents             int
	Created             int
	AliveDuplicates     int
	CancelledDuplicates int
	Reruns              int
	Lost                int
	Stuck               int

	// Duplicated is how many intents had more than one execution, Adopted how many workflows report that they found
	// theirs instead of starting it.
	Duplicated int
	Adopted    int
	ByState    map[state]int

	// Failures are the types of the errors that workflows failed with and should not have.
	Failures map[string]int

	// Findings say what each alive duplicate, lost and stuck one is.
	Findings []string
}

// count compares what Temporal says with what the service's books say.
//
// An alive duplicate is an execution beyond the first of its intent that nobody cancelled, whether it goes on, completed or
// failed: it has done its work a second time. Lost is what did not come out as its workflow says, in any way: see lose.
// Stuck is a workflow or an execution that never ended.
func count(outcomes []outcome, ledger []testsuite.Execution) *counts {
	c := &counts{Intents: len(outcomes), ByState: map[state]int{}, Failures: map[string]int{}}
	own := map[string][]testsuite.Execution{}
	reruns := map[string]bool{}
	known := map[string]bool{}
	for _, o := range outcomes {
		known[o.workflowID] = true
	}
	for _, e := range ledger {
		workflowID := e.Metadata[asteroid.MetadataWorkflowID]
		if !terminal(e.Status) {
			c.stick("execution %s of %s is still %s", e.ID, workflowID, e.Status)
		}
		if e.ParentExecutionID != "" {
			c.Reruns++
			reruns[e.ID] = true
			if e.Status == "cancelled" {
				c.lose("execution %s of %s is a person's rerun, and was cancelled", e.ID, workflowID)
			}
			continue
		}
		c.Created++
		own[workflowID] = append(own[workflowID], e)
		if !known[workflowID] {
			c.lose("execution %s says that it is of %q, and no such workflow was started", e.ID, workflowID)
		}
	}
	for _, o := range outcomes {
		c.ByState[o.state]++
		if o.adopted {
			c.Adopted++
		}
		c.duplicates(o, own[o.workflowID])
		switch {
		case reruns[o.executionID]:
			c.lose("%s took execution %s, which is a person's rerun, for its own", o.workflowID, o.executionID)
		case o.state == stateOpen:
			c.stick("%s is still open", o.workflowID)
		case o.state == stateCompleted:
			c.completed(o, own[o.workflowID])
		case o.state == stateFailed:
			c.failed(o, own[o.workflowID])
		case o.state == stateCancelled:
			c.cancelled(o, own[o.workflowID])
		}
	}
	return c
}

// duplicates counts the executions of an intent beyond the one that it should have.
func (c *counts) duplicates(o outcome, executions []testsuite.Execution) {
	var cancelled, others []string
	for _, e := range executions {
		if e.Status == "cancelled" {
			cancelled = append(cancelled, e.ID)
		} else {
			others = append(others, e.ID+" ("+e.Status+")")
		}
	}
	if len(executions) > 1 {
		c.Duplicated++
		c.CancelledDuplicates += min(len(cancelled), len(executions)-1)
	}
	if len(others) > 1 {
		c.AliveDuplicates += len(others) - 1
		c.find("alive duplicate: %s ran %d times: %v", o.workflowID, len(others), others)
	}
}

func (c *counts) completed(o outcome, executions []testsuite.Execution) {
	switch e, ok := named(o, executions); {
	case !ok:
		c.lose("%s completed with execution %q, which is none of its own in the service's books", o.workflowID, o.executionID)
	case e.Status != "completed":
		c.lose("%s completed with execution %s, which is %s", o.workflowID, e.ID, e.Status)
	case o.meantToFail:
		c.lose("%s completed, although its agent was meant to fail", o.workflowID)
	}
}

// failed accepts the failures that the agents were meant to have, and nothing else.
func (c *counts) failed(o outcome, executions []testsuite.Execution) {
	e, ok := named(o, executions)
	meant := o.meantToFail && o.errorType == asteroid.ErrorTypeExecutionFailed && o.reason == plannedFailure && ok && e.Status == "failed"
	if !meant {
		c.Failures[cmp.Or(o.errorType, "an error without a type")]++
		c.lose("%s failed with %s: %s", o.workflowID, o.errorType, o.message)
	}
}

// cancelled accepts that the agent ended before it could be cancelled, but not that it went on working when the workflow
// was over.
func (c *counts) cancelled(o outcome, executions []testsuite.Execution) {
	if !o.cancelAsked {
		c.lose("%s was cancelled, and nobody had asked for that", o.workflowID)
	}
	for _, e := range executions {
		if e.Status != "cancelled" && (e.TerminalAt.IsZero() || e.TerminalAt.After(o.closedAt)) {
			c.lose("%s was cancelled and over at %s, but execution %s of %s went on and is %s", o.workflowID,
				o.closedAt.Format(clock), e.ID, e.CreatedAt.Format(clock), e.Status)
		}
	}
}

const clock = "15:04:05.000"

// named is the execution that the workflow names, if it is its own.
func named(o outcome, executions []testsuite.Execution) (testsuite.Execution, bool) {
	i := slices.IndexFunc(executions, func(e testsuite.Execution) bool { return e.ID == o.executionID })
	if i < 0 {
		return testsuite.Execution{}, false
	}
	return executions[i], true
}

func (c *counts) lose(format string, args ...any) {
	c.Lost++
	c.find("lost: "+format, args...)
}

func (c *counts) stick(format string, args ...any) {
	c.Stuck++
	c.find("stuck: "+format, args...)
}

func (c *counts) find(format string, args ...any) {
	c.Findings = append(c.Findings, fmt.Sprintf(format, args...))
}

func terminal(status string) bool { return asteroid.Status(status).Terminal() }
