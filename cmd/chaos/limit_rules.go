package main

import (
	"sync"
	"time"

	"github.com/temporal-asteroid/asteroid/testsuite"
)

// limitRule says how many agents may work with a profile at once.
type limitRule struct {
	workflowID string // whose story explains a breach
	profileID  string
	most       int
	// from is when the rule begins; zero: it always holds. Agents that are at work then count.
	from time.Time
	// freed has the intents whose permit the limiter takes back although their agents work on, and
	// since when: somebody has terminated their workflows.
	freed map[string]time.Time
}

// limitRules collects the rules of a run.
type limitRules struct {
	mu  sync.Mutex
	all []limitRule
}

func (l *limitRules) add(rule limitRule) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, rule)
}

// check finds the profiles with which too many agents have worked at once, according to the ledger.
// The executions of one intent count as one: a duplicate works under the permit of its intent until
// it is found and cancelled. People's reruns do not count: they take no permits.
func (l *limitRules) check(found *findings, ledger []testsuite.Execution) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, rule := range l.all {
		if at, working := rule.worst(ledger); len(working) > rule.most {
			found.add(foundOverLimit, rule.workflowID, "at %s %d agents work with the profile %s, which %d may: %v",
				at.Format(clock), len(working), rule.profileID, rule.most, working)
		}
	}
}

// worst returns the intents that are at work when most of them are, and when that is.
func (r limitRule) worst(ledger []testsuite.Execution) (worst time.Time, working []string) {
	for _, e := range ledger {
		at := e.CreatedAt
		if at.Before(r.from) {
			at = r.from
		}
		if now := r.workingAt(at, ledger); len(now) > len(working) {
			worst, working = at, now
		}
	}
	return worst, working
}

// workingAt returns the intents with an agent at work.
func (r limitRule) workingAt(at time.Time, ledger []testsuite.Execution) (intents []string) {
	counted := map[string]bool{}
	for _, e := range ledger {
		name, _ := e.Inputs[inputIntent].(string)
		freed, isFreed := r.freed[name]
		switch {
		case e.AgentProfileID != r.profileID, e.ParentExecutionID != "", counted[name]:
		case e.CreatedAt.After(at), !e.TerminalAt.IsZero() && !e.TerminalAt.After(at):
		case isFreed && !freed.After(at):
		default:
			counted[name] = true
			intents = append(intents, name)
		}
	}
	return intents
}
