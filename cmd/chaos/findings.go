package main

import (
	"fmt"
	"sync"
)

// class is a class of findings. Each finding fails the run.
type class string

const (
	// foundDuplicate is an execution that was not cancelled, beyond the first of its intent: the
	// agent may have done the work again.
	foundDuplicate class = "uncancelled duplicate"
	// foundMismatch is a workflow that disagrees with the ledger or the plan, an execution of an
	// unknown intent, or a person's rerun that was cancelled or adopted.
	foundMismatch class = "mismatch"
	// foundStuck is a workflow that did not close, or an execution that did not become terminal.
	foundStuck class = "stuck"
	// foundWrongResult is a result of another agent, or of other inputs.
	foundWrongResult class = "wrong result"
	// foundMisplacedAnswer is an answer or a message that was lost, or that arrived twice or at
	// another question.
	foundMisplacedAnswer class = "misplaced answer"
	// foundBrokenFile is a saved file that is not whole, or what a save left over.
	foundBrokenFile class = "broken file"
	// foundOverLimit are agents that worked at once with one profile, more than may.
	foundOverLimit class = "over a limit"
	// foundWrongRows is a batch whose results do not have each row once, in order and as it ended,
	// or that leaves parts of them behind.
	foundWrongRows class = "wrong rows"
	// foundFailedTask is a workflow task that failed.
	foundFailedTask class = "failed workflow task"
	// foundUnreplayable is a history that the current code does not replay.
	foundUnreplayable class = "unreplayable history"
	// foundKey is the API key in a history or a log.
	foundKey class = "API key in the open"
)

// classes are all classes, in the order in which they are printed.
var classes = []class{
	foundDuplicate, foundMismatch, foundStuck, foundWrongResult, foundMisplacedAnswer, foundBrokenFile, foundOverLimit,
	foundWrongRows, foundFailedTask, foundUnreplayable, foundKey,
}

// finding is something that the run must not leave.
type finding struct {
	class      class
	workflowID string // whose story explains it; may be empty
	text       string
}

// findings collects what a run must not leave.
type findings struct {
	mu  sync.Mutex
	all []finding
}

func (f *findings) add(c class, workflowID, format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, finding{c, workflowID, fmt.Sprintf(format, args...)})
}

// counts returns the number of findings of each class.
func (f *findings) counts() map[class]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	counts := map[class]int{}
	for _, found := range f.all {
		counts[found.class]++
	}
	return counts
}
