package activities

import (
	"context"

	"go.temporal.io/sdk/activity"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/metrics"
	"github.com/temporal-asteroid/asteroid/internal/token"
)

// watchTrust returns the function by which the watch judges an execution's metadata. It refuses a
// wrong token and takes a missing one, because a worker without a secret may have started the
// execution. The first refusal of a round is logged; the metric counts each scan's.
func (a *Activities) watchTrust(ctx context.Context, connection string) func(metadata map[string]string) bool {
	if !a.secrets.Known() {
		return func(map[string]string) bool { return true }
	}
	refused := metrics.WatchRefusedToken.Counter(metricsOf(ctx), connection)
	logged := false
	return func(metadata map[string]string) bool {
		verdict, _ := a.secrets.Check(metadata)
		if verdict != token.Wrong {
			return true
		}
		refused.Inc(1)
		if !logged {
			logged = true
			activity.GetLogger(ctx).Warn("An execution has a token of another secret, so its workflow is not signalled: "+
				"give this worker the secret in WebhookSecrets, unless the execution is forged",
				"workflowId", metadata[asteroid.MetadataWorkflowID])
		}
		return false
	}
}
