package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// inLedger returns an execution of a workflow, terminal a minute before noon unless it is active.
func inLedger(id, workflowID, status string) testsuite.Execution {
	e := testsuite.Execution{
		ID: id, Status: status, Metadata: map[string]string{asteroid.MetadataWorkflowID: workflowID}, CreatedAt: noon.Add(-2 * time.Minute),
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
	completed := outcome{workflowID: "w", state: stateCompleted, executionID: "e"}
	cancelled := outcome{workflowID: "w", state: stateCancelled, cancelPlanned: true, closedAt: noon}
	failed := outcome{
		workflowID: "w", state: stateFailed, executionID: "e", expectFailure: true,
		errorType: asteroid.ErrorTypeExecutionFailed, reason: plannedFailure, message: "failed",
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
		finding string // part of the only one; empty for none
	}{
		{"one execution that completed", completed, []testsuite.Execution{completedOnce}, auditResult{Created: 1}, ""},
		{"a duplicate that was cancelled", completed, []testsuite.Execution{completedOnce, inLedger("f", "w", "cancelled")},
			auditResult{Created: 2, CancelledDuplicates: 1, Duplicated: 1}, ""},
		{"a duplicate that completed", completed, []testsuite.Execution{completedOnce, inLedger("f", "w", "completed")},
			auditResult{Created: 2, UncancelledDuplicates: 1, Duplicated: 1}, "w ran 2 times: [e (completed) f (completed)]"},
		{"a duplicate that failed", completed, []testsuite.Execution{completedOnce, inLedger("f", "w", "failed")},
			auditResult{Created: 2, UncancelledDuplicates: 1, Duplicated: 1}, "uncancelled duplicate"},
		{"two uncancelled duplicates and one that was cancelled", completed,
			[]testsuite.Execution{completedOnce, inLedger("f", "w", "completed"), inLedger("g", "w", "cancelled"), inLedger("h", "w", "completed")},
			auditResult{Created: 4, UncancelledDuplicates: 2, CancelledDuplicates: 1, Duplicated: 1}, "ran 3 times"},
		{"a rerun", completed, []testsuite.Execution{completedOnce, rerun(inLedger("r", "w", "completed"))}, auditResult{Created: 1, Reruns: 1}, ""},
		{"a rerun that was cancelled", completed, []testsuite.Execution{completedOnce, rerun(inLedger("r", "w", "cancelled"))},
			auditResult{Created: 1, Reruns: 1, Mismatches: 1}, "a person's rerun and was cancelled"},
		{"a rerun that was adopted", with(completed, func(o *outcome) { o.executionID = "r" }),
			[]testsuite.Execution{completedOnce, rerun(inLedger("r", "w", "completed"))}, auditResult{Created: 1, Reruns: 1, Mismatches: 1}, "adopted execution r"},
		{"completed without an execution", completed, nil, auditResult{Mismatches: 1}, "the ledger does not list"},
		{"completed with another workflow's execution", with(completed, func(o *outcome) { o.executionID = "x" }),
			[]testsuite.Execution{completedOnce}, auditResult{Created: 1, Mismatches: 1}, "the ledger does not list"},
		{"completed with an execution that was cancelled", completed, []testsuite.Execution{cancelledOnce}, auditResult{Created: 1, Mismatches: 1}, "which is cancelled"},
		{"completed where the agent fails", with(completed, func(o *outcome) { o.expectFailure = true }),
			[]testsuite.Execution{completedOnce}, auditResult{Created: 1, Mismatches: 1}, "scripted to fail"},
		{"an execution of no workflow", completed, []testsuite.Execution{completedOnce, inLedger("x", "other", "completed")},
			auditResult{Created: 2, Mismatches: 1}, "which was not started"},
		{"failed as planned", failed, []testsuite.Execution{failedOnce}, auditResult{Created: 1}, ""},
		{"failed without a plan", with(failed, func(o *outcome) { o.expectFailure = false }), []testsuite.Execution{failedOnce},
			auditResult{Created: 1, Mismatches: 1}, "w failed with asteroid.ExecutionFailed"},
		{"failed for another reason", with(failed, func(o *outcome) { o.reason = "it was started without its file" }),
			[]testsuite.Execution{failedOnce}, auditResult{Created: 1, Mismatches: 1}, "w failed with"},
		{"failed with another error", with(failed, func(o *outcome) { o.errorType = asteroid.ErrorTypeUnavailable }),
			[]testsuite.Execution{failedOnce}, auditResult{Created: 1, Mismatches: 1}, "asteroid.Unavailable"},
		{"failed, but not in the ledger", failed, []testsuite.Execution{completedOnce}, auditResult{Created: 1, Mismatches: 1}, "w failed with"},
		{"cancelled with its execution", cancelled, []testsuite.Execution{cancelledOnce}, auditResult{Created: 1}, ""},
		{"cancelled before anything was started", cancelled, nil, auditResult{}, ""},
		{"cancelled when the agent had just completed", cancelled, []testsuite.Execution{completedOnce}, auditResult{Created: 1}, ""},
		{"cancelled, and both executions with it", cancelled, []testsuite.Execution{cancelledOnce, inLedger("f", "w", "cancelled")},
			auditResult{Created: 2, CancelledDuplicates: 1, Duplicated: 1}, ""},
		{"cancelled, but the agent works on", cancelled, []testsuite.Execution{endedAt(noon.Add(time.Second), completedOnce)},
			auditResult{Created: 1, Mismatches: 1}, "ran on and is completed"},
		{"cancelled without a request", with(cancelled, func(o *outcome) { o.cancelPlanned = false }), []testsuite.Execution{cancelledOnce},
			auditResult{Created: 1, Mismatches: 1}, "no cancellation was planned"},
		{"a workflow that is open", outcome{workflowID: "w"}, []testsuite.Execution{completedOnce}, auditResult{Created: 1, Stuck: 1}, "still open"},
		{"an execution that does not end", completed, []testsuite.Execution{completedOnce, rerun(inLedger("r", "w", "running"))},
			auditResult{Created: 1, Reruns: 1, Stuck: 1}, "still running"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got := audit([]outcome{row.outcome}, row.ledger)
			findings := got.Findings
			row.want.Intents = 1
			row.want.ByState, row.want.Failures, row.want.Findings = got.ByState, got.Failures, findings
			require.Equal(t, row.want, *got)
			require.Equal(t, got.Mismatches+got.UncancelledDuplicates+got.Stuck > 0, (&report{auditResult: got}).bad())
			if row.finding == "" {
				require.Empty(t, findings)
			} else {
				require.Len(t, findings, 1)
				require.Contains(t, findings[0], row.finding)
			}
		})
	}
}

func TestAuditCountsIntentsSeparately(t *testing.T) {
	t.Parallel()
	got := audit([]outcome{
		{workflowID: "a", state: stateCompleted, executionID: "1", adopted: true},
		{workflowID: "b", state: stateCompleted, executionID: "2"},
		{workflowID: "c"},
		{workflowID: "d", state: stateFailed, errorType: asteroid.ErrorTypeUnavailable},
	}, []testsuite.Execution{inLedger("1", "a", "completed"), inLedger("2", "b", "completed"), inLedger("3", "a", "cancelled")})
	require.Equal(t, auditResult{
		Intents: 4, Created: 3, CancelledDuplicates: 1, Mismatches: 1, Stuck: 1, Duplicated: 1, Adopted: 1,
		ByState: map[state]int{stateCompleted: 2, stateOpen: 1, stateFailed: 1}, Failures: map[string]int{"asteroid.Unavailable": 1}, Findings: got.Findings,
	}, *got)
}

func TestReportPrintsTableAndJSON(t *testing.T) {
	t.Parallel()
	r := &report{auditResult: audit(nil, nil), seed: 7, kills: 3, elapsed: 1234 * time.Millisecond}
	var table, object strings.Builder
	r.print(&table)
	require.NoError(t, r.printJSON(&object))
	require.JSONEq(t, `{"seed":7,"intents":0,"created":0,"aliveDuplicates":0,"cancelledDuplicates":0,"reruns":0,"lost":0,"stuck":0,"workerKills":3,"seconds":1.2}`, object.String())
	for _, name := range []string{"seed", "intents", "created", "uncancelled duplicates", "cancelled duplicates", "reruns", "mismatches", "stuck", "worker kills", "seconds"} {
		require.Contains(t, table.String(), name)
	}
}
