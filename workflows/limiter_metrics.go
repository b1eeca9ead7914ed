package workflows

import (
	"cmp"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/metrics"
)

// Why a limiter takes a permit from its holder, as a label.
const (
	freedGone     = "gone"
	freedReplaced = "replaced"
	freedOperator = "operator"
)

// announceCounters announces what the limiter counts.
func (l *limiter) announceCounters(ctx workflow.Context) {
	handler := workflow.GetMetricsHandler(ctx)
	metrics.PermitsGranted.Announce(handler, l.in.Connection)
	for _, reason := range []string{freedGone, freedReplaced, freedOperator} {
		metrics.PermitsFreed.Announce(handler, l.in.Connection, reason)
	}
}

// measureGrants counts the permits that were granted since the queue had granted so many.
func (l *limiter) measureGrants(ctx workflow.Context, before int) {
	if granted := l.queue.granted - before; granted > 0 {
		metrics.PermitsGranted.Counter(workflow.GetMetricsHandler(ctx), l.in.Connection).Inc(int64(granted))
	}
}

// measureFreed counts the permit of a token, if the token holds one, before it is taken away.
func (l *limiter) measureFreed(ctx workflow.Context, token, reason string) {
	if l.queue.holderOf(token) >= 0 {
		metrics.PermitsFreed.Count(workflow.GetMetricsHandler(ctx), l.in.Connection, reason)
	}
}

// measurePermitWait records a wait for all permits of an agent.
func (r *AgentRun) measurePermitWait(ctx workflow.Context, since time.Time, outcome string) {
	connection := cmp.Or(r.in.Connection, asteroid.DefaultConnection)
	metrics.PermitWait.Record(workflow.GetMetricsHandler(ctx), workflow.Now(ctx).Sub(since), connection, outcome)
}
