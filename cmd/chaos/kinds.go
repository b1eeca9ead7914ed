package main

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/temporal-asteroid/asteroid/testsuite"
)

// kind is a kind of trouble. A run of a hundred workflows or more must meet each.
type kind string

// The kinds, as they are printed.
const (
	// Requests to the API.
	kindResponseLost      kind = "execute carried out, response lost"
	kindCommittedLate     kind = "execute carried out late"
	kindResponseBroken    kind = "response cut, truncated or of another type"
	kindStalled           kind = "response stalled"
	kindRateLimited       kind = "rate limit"
	kindServerError       kind = "error of the service or a gateway"
	kindNoCapacity        kind = "no capacity"
	kindGatewayForbidden  kind = "wait: gateway page 403"
	kindGatewayNotFound   kind = "wait: gateway page 404"
	kindGatewayBad        kind = "wait: gateway page 502"
	kindKeyExpired        kind = "wait: API key expired for a while"
	kindOddMember         kind = "odd member in an answer about our run"
	kindOddStranger       kind = "odd member in an answer about a stranger's run"
	kindUnknownStatus     kind = "status that nobody knows yet"
	kindLargeResult       kind = "result of 3 MiB"
	kindDeepResult        kind = "result of 5,000 levels"
	kindRerun             kind = "rerun by a person"
	kindWorkflowCancelled kind = "workflow cancelled"

	// Temporal.
	kindActivityReset       kind = "activity reset"
	kindActivityResetWhole  kind = "activity reset with its heartbeats"
	kindResetBeforeExecute  kind = "workflow reset before the execute"
	kindResetInExecute      kind = "workflow reset in the execute"
	kindResetAfterExecute   kind = "workflow reset after the execute"
	kindResetInWait         kind = "workflow reset in the wait"
	kindResetAfterAnswer    kind = "workflow reset after an answer"
	kindResetAfterFallback  kind = "workflow reset after a failure with a fallback"
	kindResetTwice          kind = "workflow reset twice"
	kindResetParent         kind = "parent of a child RunAgent reset"
	kindResetBeforeContinue kind = "workflow reset before a continue-as-new"
	kindResetCorrected      kind = "workflow reset with corrected inputs"
	kindOrderChanged        kind = "fan-out with another order after a reset"
	kindWorkflowRetry       kind = "workflow failed under a RetryPolicy"
	kindContinuedAsNew      kind = "continue-as-new between agents"
	kindSharedKey           kind = "one IdempotencyKey in two workflows at once"
	kindServerRestart       kind = "Temporal server restarted"

	// Workers.
	kindWorkerKilled   kind = "worker killed"
	kindKilledStaging  kind = "worker died in StageFiles"
	kindKilledExecute  kind = "worker died in ExecuteAgent"
	kindKilledAwait    kind = "worker died in AwaitExecution"
	kindKilledMessage  kind = "worker died in SendMessage"
	kindKilledSweep    kind = "worker died in SweepDuplicates"
	kindKilledSaving   kind = "worker died in SaveFiles"
	kindKilledWatch    kind = "worker died in WatchExecutions"
	kindKilledPlan     kind = "worker died in PlanBatch"
	kindKilledPart     kind = "worker died in WriteBatchPart"
	kindClockWrong     kind = "worker with a wrong clock"
	kindQueueStopped   kind = "all workers of the watch's queue stopped"
	kindTwoConnections kind = "two connections of one organization"

	// People.
	kindTwoAnswers    kind = "two people answer one question"
	kindConsoleAnswer kind = "answer in the console and by update at once"
	kindDoubleResume  kind = "doubled resume"
	kindHumanDeadline kind = "deadline for people passed"

	// Webhooks.
	kindWebhookForged    kind = "webhook of a stranger"
	kindWebhookRepeated  kind = "webhook repeated"
	kindWebhookReordered kind = "webhooks reordered"
	kindWebhookEarly     kind = "webhook before the execute returns"

	// Files.
	kindTwoSavers    kind = "two savers of one destination"
	kindSourceBroken kind = "source of a file fails half-way"

	// Limits.
	kindPermitAwaited     kind = "run waits for a permit"
	kindKeyOrders         kind = "two keys in both orders"
	kindHolderReset       kind = "holder of a permit reset"
	kindHolderTerminated  kind = "holder of a permit terminated"
	kindLimiterReset      kind = "limiter reset"
	kindLimiterTerminated kind = "limiter terminated"
	kindLimitChanged      kind = "limit raised and lowered"

	// Batches.
	kindBatchPaused    kind = "batch paused"
	kindBatchPace      kind = "batch told to run more rows at once"
	kindRowsRunAgain   kind = "failed rows run again"
	kindBatchReset     kind = "batch reset"
	kindSegmentReset   kind = "segment of a batch reset"
	kindBatchAgain     kind = "batch run again"
	kindBatchCancelled kind = "batch cancelled"
)

// kinds are all kinds, in the order in which they are printed.
var kinds = []kind{
	kindResponseLost, kindCommittedLate, kindResponseBroken, kindStalled, kindRateLimited, kindServerError, kindNoCapacity,
	kindGatewayForbidden, kindGatewayNotFound, kindGatewayBad, kindKeyExpired, kindOddMember, kindOddStranger, kindUnknownStatus,
	kindLargeResult, kindDeepResult, kindRerun, kindWorkflowCancelled,
	kindActivityReset, kindActivityResetWhole, kindResetBeforeExecute, kindResetInExecute, kindResetAfterExecute, kindResetInWait,
	kindResetAfterAnswer, kindResetAfterFallback, kindResetTwice, kindResetParent, kindResetBeforeContinue, kindResetCorrected,
	kindOrderChanged, kindWorkflowRetry, kindContinuedAsNew, kindSharedKey, kindServerRestart,
	kindWorkerKilled, kindKilledStaging, kindKilledExecute, kindKilledAwait, kindKilledMessage, kindKilledSweep, kindKilledSaving,
	kindKilledWatch, kindKilledPlan, kindKilledPart, kindClockWrong, kindQueueStopped, kindTwoConnections,
	kindTwoAnswers, kindConsoleAnswer, kindDoubleResume, kindHumanDeadline,
	kindWebhookForged, kindWebhookRepeated, kindWebhookReordered, kindWebhookEarly,
	kindTwoSavers, kindSourceBroken,
	kindPermitAwaited, kindKeyOrders, kindHolderReset, kindHolderTerminated, kindLimiterReset, kindLimiterTerminated, kindLimitChanged,
	kindBatchPaused, kindBatchPace, kindRowsRunAgain, kindBatchReset, kindSegmentReset, kindBatchAgain, kindBatchCancelled,
}

// tally counts how often each kind of trouble happened.
type tally struct {
	mu    sync.Mutex
	fired map[kind]int
}

// fire counts a trouble that has happened. A trouble that was only planned does not count.
func (t *tally) fire(k kind) { t.add(k, 1) }

func (t *tally) add(k kind, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fired == nil {
		t.fired = map[kind]int{}
	}
	t.fired[k] += n
}

// counts returns how often each kind happened, those that never did included.
func (t *tally) counts() map[kind]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	counts := map[kind]int{}
	for _, k := range kinds {
		counts[k] = 0
	}
	maps.Copy(counts, t.fired)
	return counts
}

// neverFired returns the kinds that never happened.
func neverFired(counts map[kind]int) []kind {
	never := []kind{}
	for _, k := range kinds {
		if counts[k] == 0 {
			never = append(never, k)
		}
	}
	return never
}

// addRequests counts the troubles of requests, which the fake's ledger names.
func (t *tally) addRequests(requests []testsuite.Request) {
	for _, r := range requests {
		if k, known := kindOfFault(r); known {
			t.fire(k)
		}
	}
}

func kindOfFault(r testsuite.Request) (kind, bool) {
	execute := r.Operation == executeOperation || r.Operation == lateExecuteOperation
	fault, detail, _ := strings.Cut(r.Fault, " ")
	read := map[string]kind{"401": kindKeyExpired, "403": kindGatewayForbidden, "404": kindGatewayNotFound, "502": kindGatewayBad}
	switch {
	case execute && fault == "" && slices.Contains([]int{http.StatusConflict, http.StatusTooManyRequests, http.StatusServiceUnavailable}, r.Status):
		return kindNoCapacity, true
	case r.Operation == readOperation && fault == "Answer" && read[detail] != "":
		return read[detail], true
	case fault == "LoseResponse" && execute:
		return kindResponseLost, true
	case fault == "CommitLate" && execute:
		return kindCommittedLate, true
	case slices.Contains([]string{"ResetMidBody", "TruncateJSON", "WrongContentType"}, fault):
		return kindResponseBroken, true
	case fault == "Stall":
		return kindStalled, true
	case fault == "Answer" && detail == "429":
		return kindRateLimited, true
	case fault == "Answer" || fault == "AnswerAfterCommit":
		return kindServerError, true
	default:
		return "", false
	}
}
