package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// inLedger returns an execution of an intent, terminal a minute before noon unless it is active.
func inLedger(id, intent, status string) testsuite.Execution {
	e := testsuite.Execution{
		ID: id, Status: status, Inputs: map[string]any{inputIntent: intent}, CreatedAt: noon.Add(-2 * time.Minute),
	}
	if terminal(status) {
		e.TerminalAt = noon.Add(-time.Minute)
	}
	return e
}

func rerun(e testsuite.Execution) testsuite.Execution {
	e.ParentExecutionID = "e"
	return e
}

func endedAt(at time.Time, e testsuite.Execution) testsuite.Execution {
	e.TerminalAt = at
	return e
}

func TestAuditCountsEveryKindOfFinding(t *testing.T) {
	t.Parallel()
	completed := outcome{intent: "w", workflowID: "w", state: stateCompleted, executionID: "e", resultIntent: "w"}
	cancelled := outcome{intent: "w", workflowID: "w", state: stateCancelled, cancelPlanned: true, closedAt: noon}
	terminated := outcome{intent: "w", workflowID: "w", state: stateTerminated, terminatePlanned: true}
	failed := outcome{
		intent: "w", workflowID: "w", state: stateFailed, executionID: "e", expectFailure: true,
		errorType: asteroid.ErrorTypeExecutionFailed, reason: plannedFailure, message: "failed",
	}
	unanswered := outcome{
		intent: "w", workflowID: "w", state: stateFailed, executionID: "e", expectUnanswered: true, errorType: asteroid.ErrorTypeExecutionTimedOut,
	}
	with := func(o outcome, change func(*outcome)) outcome {
		change(&o)
		return o
	}
	completedOnce, cancelledOnce, failedOnce := inLedger("e", "w", "completed"), inLedger("e", "w", "cancelled"), inLedger("e", "w", "failed")
	for _, row := range []struct {
		name    string
		outcome outcome
		ledger  []testsuite.Execution
		want    auditResult
		class   class  // of the only finding; empty for none
		finding string // part of its text
	}{
		{"one execution that completed", completed, []testsuite.Execution{completedOnce}, auditResult{Created: 1}, "", ""},
		{"a duplicate that was cancelled", completed, []testsuite.Execution{completedOnce, inLedger("f", "w", "cancelled")},
			auditResult{Created: 2, CancelledDuplicates: 1, Duplicated: 1}, "", ""},
		{"a duplicate that completed", completed, []testsuite.Execution{completedOnce, inLedger("f", "w", "completed")},
			auditResult{Created: 2, Duplicated: 1}, foundDuplicate, "w ran 2 times: [e (completed) f (completed)]"},
		{"a duplicate that failed", completed, []testsuite.Execution{completedOnce, inLedger("f", "w", "failed")},
			auditResult{Created: 2, Duplicated: 1}, foundDuplicate, "w ran 2 times"},
		{"a failure that a reset repeats", with(completed, func(o *outcome) { o.repeatsFailures = true }),
			[]testsuite.Execution{inLedger("d", "w", "failed"), completedOnce}, auditResult{Created: 2, Duplicated: 1}, "", ""},
		{"completed with another intent's result", with(completed, func(o *outcome) { o.resultIntent = "v" }), []testsuite.Execution{completedOnce},
			auditResult{Created: 1}, foundWrongResult, `the result of "v"`},
		{"a rerun", completed, []testsuite.Execution{completedOnce, rerun(inLedger("r", "w", "completed"))}, auditResult{Created: 1, Reruns: 1}, "", ""},
		{"a rerun that was cancelled", completed, []testsuite.Execution{completedOnce, rerun(inLedger("r", "w", "cancelled"))},
			auditResult{Created: 1, Reruns: 1}, foundMismatch, "a person's rerun and was cancelled"},
		{"a rerun that was adopted", with(completed, func(o *outcome) { o.executionID = "r" }),
			[]testsuite.Execution{completedOnce, rerun(inLedger("r", "w", "completed"))}, auditResult{Created: 1, Reruns: 1}, foundMismatch, "adopted execution r"},
		{"completed without an execution", completed, nil, auditResult{}, foundMismatch, "the ledger does not list"},
		{"completed with another workflow's execution", with(completed, func(o *outcome) { o.executionID = "x" }),
			[]testsuite.Execution{completedOnce}, auditResult{Created: 1}, foundMismatch, "the ledger does not list"},
		{"completed with an execution that was cancelled", completed, []testsuite.Execution{cancelledOnce}, auditResult{Created: 1}, foundMismatch, "which is cancelled"},
		{"completed where the agent fails", with(completed, func(o *outcome) { o.expectFailure = true }),
			[]testsuite.Execution{completedOnce}, auditResult{Created: 1}, foundMismatch, "scripted to fail"},
		{"an execution of no workflow", completed, []testsuite.Execution{completedOnce, inLedger("x", "other", "completed")},
			auditResult{Created: 2}, foundMismatch, "which nobody had"},
		{"a stranger's execution that works on", completed, []testsuite.Execution{completedOnce, inLedger("x", strangerIntent, "running")},
			auditResult{Created: 1}, "", ""},
		{"a stranger's execution that was cancelled", completed, []testsuite.Execution{completedOnce, inLedger("x", strangerIntent, "cancelled")},
			auditResult{Created: 1}, foundMismatch, "is a stranger's"},
		{"failed as planned", failed, []testsuite.Execution{failedOnce}, auditResult{Created: 1}, "", ""},
		{"failed without a plan", with(failed, func(o *outcome) { o.expectFailure = false }), []testsuite.Execution{failedOnce},
			auditResult{Created: 1}, foundMismatch, "w failed with asteroid.ExecutionFailed"},
		{"failed for another reason", with(failed, func(o *outcome) { o.reason = "it was started without its file" }),
			[]testsuite.Execution{failedOnce}, auditResult{Created: 1}, foundMismatch, "w failed with"},
		{"failed with another error", with(failed, func(o *outcome) { o.errorType = asteroid.ErrorTypeUnavailable }),
			[]testsuite.Execution{failedOnce}, auditResult{Created: 1}, foundMismatch, "asteroid.Unavailable"},
		{"failed, but not in the ledger", failed, []testsuite.Execution{completedOnce}, auditResult{Created: 1}, foundMismatch, "w failed with"},
		{"unanswered as planned", unanswered, []testsuite.Execution{cancelledOnce}, auditResult{Created: 1}, "", ""},
		{"unanswered, and the agent works on", unanswered, []testsuite.Execution{inLedger("e", "w", "completed")},
			auditResult{Created: 1}, foundMismatch, "asteroid.ExecutionTimedOut"},
		{"unanswered without a plan", with(unanswered, func(o *outcome) { o.expectUnanswered = false }), []testsuite.Execution{cancelledOnce},
			auditResult{Created: 1}, foundMismatch, "asteroid.ExecutionTimedOut"},
		{"completed although nobody answered", with(completed, func(o *outcome) { o.expectUnanswered = true }), []testsuite.Execution{completedOnce},
			auditResult{Created: 1}, foundMismatch, "nobody answered"},
		{"cancelled with its execution", cancelled, []testsuite.Execution{cancelledOnce}, auditResult{Created: 1}, "", ""},
		{"cancelled before anything was started", cancelled, nil, auditResult{}, "", ""},
		{"cancelled when the agent had just completed", cancelled, []testsuite.Execution{completedOnce}, auditResult{Created: 1}, "", ""},
		{"cancelled, and both executions with it", cancelled, []testsuite.Execution{cancelledOnce, inLedger("f", "w", "cancelled")},
			auditResult{Created: 2, CancelledDuplicates: 1, Duplicated: 1}, "", ""},
		{"cancelled, but the agent works on", cancelled, []testsuite.Execution{endedAt(noon.Add(time.Second), completedOnce)},
			auditResult{Created: 1}, foundMismatch, "ran on and is completed"},
		{"cancelled without a request", with(cancelled, func(o *outcome) { o.cancelPlanned = false }), []testsuite.Execution{cancelledOnce},
			auditResult{Created: 1}, foundMismatch, "no cancellation was planned"},
		{"terminated, and the agent works on", terminated, []testsuite.Execution{endedAt(noon.Add(time.Second), completedOnce)}, auditResult{Created: 1}, "", ""},
		{"terminated, and it ran twice", terminated, []testsuite.Execution{completedOnce, inLedger("f", "w", "completed")},
			auditResult{Created: 2, Duplicated: 1}, foundDuplicate, "w ran 2 times"},
		{"terminated without a plan", with(terminated, func(o *outcome) { o.terminatePlanned = false }), []testsuite.Execution{completedOnce},
			auditResult{Created: 1}, foundMismatch, "no termination was planned"},
		{"a workflow that is open", outcome{intent: "w", workflowID: "w"}, []testsuite.Execution{completedOnce}, auditResult{Created: 1}, foundStuck, "still open"},
		{"an execution that does not end", completed, []testsuite.Execution{completedOnce, rerun(inLedger("r", "w", "running"))},
			auditResult{Created: 1, Reruns: 1}, foundStuck, "still running"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var found findings
			got := audit([]outcome{row.outcome}, row.ledger, &found)
			row.want.Intents = 1
			row.want.ByState, row.want.Failures = got.ByState, got.Failures
			require.Equal(t, row.want, *got)
			require.Equal(t, row.class != "", (&report{auditResult: got, findings: &found}).bad())
			if row.class == "" {
				require.Empty(t, found.all)
			} else {
				require.Len(t, found.all, 1)
				require.Equal(t, row.class, found.all[0].class)
				require.Contains(t, found.all[0].text, row.finding)
			}
		})
	}
}

func TestAuditCountsIntentsSeparately(t *testing.T) {
	t.Parallel()
	var found findings
	got := audit([]outcome{
		{intent: "a", workflowID: "a", state: stateCompleted, executionID: "1", resultIntent: "a", adopted: true},
		{intent: "b", workflowID: "b", state: stateCompleted, executionID: "2", resultIntent: "b"},
		{intent: "b", workflowID: "with the key of b", state: stateCompleted, executionID: "2", resultIntent: "b"},
		{intent: "c", workflowID: "c"},
		{intent: "d", workflowID: "d", state: stateFailed, errorType: asteroid.ErrorTypeUnavailable},
		{intent: "e", workflowID: "e", state: stateCompleted, executionID: "4", resultIntent: "e"},
	}, []testsuite.Execution{
		inLedger("1", "a", "completed"), inLedger("2", "b", "completed"), inLedger("3", "a", "cancelled"),
		inLedger("4", "e", "completed"), inLedger("5", "e", "completed"), inLedger("6", "e", "cancelled"), inLedger("7", "e", "completed"),
	}, &found)
	require.Equal(t, auditResult{
		Intents: 6, Created: 7, CancelledDuplicates: 2, Duplicated: 2, Adopted: 1,
		ByState: map[state]int{stateCompleted: 4, stateOpen: 1, stateFailed: 1}, Failures: map[string]int{"asteroid.Unavailable": 1},
	}, *got)
	require.Equal(t, map[class]int{foundDuplicate: 2, foundStuck: 1, foundMismatch: 1}, found.counts())
}

func TestReportPrintsTableAndJSON(t *testing.T) {
	t.Parallel()
	var fired tally
	fired.add(kindStalled, 2)
	var found findings
	found.add(foundStuck, "w", "w is still open")
	r := &report{
		auditResult: audit(nil, nil, &found), findings: &found, kinds: fired.counts(), stories: stories{"w": "it began\n"},
		settings: settings{seed: 7, runs: fullRun}, kills: 3, elapsed: 1234 * time.Millisecond,
	}
	var table, object, told strings.Builder
	r.print(&table)
	require.NoError(t, r.printJSON(&object))
	var decoded map[string]any
	require.NoError(t, json.Unmarshal([]byte(object.String()), &decoded))
	for name, want := range map[string]any{
		"seed": 7., "intents": 0., "created": 0., "aliveDuplicates": 0., "cancelledDuplicates": 0., "reruns": 0., "lost": 0., "stuck": 1.,
		"wrongResults": 0., "misplacedAnswers": 0., "brokenFiles": 0., "overLimits": 0., "wrongRows": 0., "failedWorkflowTasks": 0., "replayed": 0., "unreplayable": 0.,
		"keysInTheOpen": 0., "workerKills": 3., "seconds": 1.2,
	} {
		require.Equal(t, want, decoded[name], name)
	}
	require.EqualValues(t, 2, decoded["kinds"].(map[string]any)[string(kindStalled)])
	require.Len(t, decoded["kinds"], len(kinds))
	require.Len(t, decoded["neverFired"], len(kinds)-1)
	for _, c := range classes {
		require.Contains(t, table.String(), c)
		require.NotEmpty(t, notes[c])
	}
	for _, k := range kinds {
		require.Contains(t, table.String(), k)
	}
	r.printFindings(&told)
	for _, line := range []string{
		"stuck: w is still open", "the story of w:\nit began", "never happened: rate limit", "go run ./cmd/chaos --runs 100 --seed 7",
	} {
		require.Contains(t, told.String(), line)
	}
	require.NotContains(t, told.String(), kindStalled)
}

func TestReportIsBadIfAFullRunMissesAKind(t *testing.T) {
	t.Parallel()
	var all tally
	for _, k := range kinds {
		all.fire(k)
	}
	whole := &report{findings: &findings{}, kinds: all.counts(), settings: settings{runs: fullRun}}
	require.False(t, whole.bad())
	var some tally
	partial := &report{findings: &findings{}, kinds: some.counts(), settings: settings{runs: fullRun}}
	require.True(t, partial.bad())
	partial.settings.runs = fullRun - 1
	require.False(t, partial.bad())
}
