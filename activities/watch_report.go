package activities

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"

	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/metrics"
	"github.com/temporal-asteroid/asteroid/internal/watch"
)

// troubles are what a worker has logged of its watches and what still lasts.
type troubles struct {
	mu     sync.Mutex
	logged map[string]bool
}

// begin reports whether the trouble is new.
func (t *troubles) begin(what string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.logged == nil {
		t.logged = map[string]bool{}
	}
	before := t.logged[what]
	t.logged[what] = true
	return !before
}

// end reports whether there was the trouble.
func (t *troubles) end(what string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.logged[what]
	delete(t.logged, what)
	return before
}

// announceWatch announces the counters of the watch.
func announceWatch(ctx context.Context, connection string) {
	for _, outcome := range []string{"sent", "failed"} {
		metrics.WatchSignal.Announce(metricsOf(ctx), connection, outcome)
	}
	metrics.WatchRefusedToken.Announce(metricsOf(ctx), connection)
}

// showRound sets the gauges of the watch. They are 0 with the zero Round.
func showRound(ctx context.Context, connection string, round watch.Round) {
	handler := metricsOf(ctx)
	scannedAt := 0.0
	if !round.ScannedAt.IsZero() {
		scannedAt = float64(round.ScannedAt.UnixMilli()) / 1000
	}
	metrics.WatchScannedAt.Set(handler, scannedAt, connection)
	metrics.WatchActive.Set(handler, float64(round.Active), connection)
	metrics.QuestionsOpen.Set(handler, float64(round.Asking), connection)
}

// reportRound measures a round. It logs the first of a streak of failed ones with what to do.
func (a *Activities) reportRound(ctx context.Context, connection string, round watch.Round) {
	outcome := "whole"
	if round.Err != nil {
		outcome = "failed"
	}
	metrics.WatchScan.Record(metricsOf(ctx), round.Took, connection, outcome)
	showRound(ctx, connection, round)
	err := round.Err
	logger, trouble := activity.GetLogger(ctx), "scans of "+connection
	if err == nil {
		if a.troubles.end(trouble) {
			logger.Info("The executions can be listed again", "connection", connection)
		}
		return
	}
	if a.troubles.begin(trouble) {
		logger.Warn("The executions could not be watched: "+scanAdvice(err), "connection", connection, "error", err)
	}
}

// scanAdvice returns what to do about a scan that failed.
func scanAdvice(err error) string {
	failed, ok := errors.AsType[*client.Error](err)
	switch {
	case isDenied(err):
		return "this worker's credentials must be allowed to signal workflows"
	case ok && failed.Status == http.StatusTooManyRequests:
		return "the rate limit of the API key is too low for a scan; ask for a higher one, or set Options.Events to webhooks"
	case ok && (failed.Status == http.StatusUnauthorized || failed.Status == http.StatusForbidden):
		return "the API key must be valid and allowed to list and read executions"
	default:
		return "it is tried again; workflows poll if it lasts"
	}
}

// reportSignal counts signals, and logs the first that has to be sent again. Those that no workflow
// would get are reported by reportRound.
func (a *Activities) reportSignal(ctx context.Context, connection string, err error) {
	if err == nil {
		metrics.WatchSignal.Count(metricsOf(ctx), connection, "sent")
		if a.troubles.end("signals") {
			activity.GetLogger(ctx).Info("Workflows can be signalled again")
		}
		return
	}
	metrics.WatchSignal.Count(metricsOf(ctx), connection, "failed")
	if !isDenied(err) && a.troubles.begin("signals") {
		activity.GetLogger(ctx).Warn("A workflow could not be signalled of a change to its execution; it is tried again", "error", err)
	}
}

func isDenied(err error) bool {
	_, denied := errors.AsType[*serviceerror.PermissionDenied](err)
	return denied
}
