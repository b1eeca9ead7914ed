package activities_test

import (
	"log/slog"
	"maps"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	sdktestsuite "go.temporal.io/sdk/testsuite"
	sdkworker "go.temporal.io/sdk/worker"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/worker"
)

// decisionCounter sums the counter asteroid_execute_decisions by its label decision.
type decisionCounter struct {
	client.MetricsHandler // gauges and timers
	mu                    *sync.Mutex
	counts                map[string]int64
	tags                  map[string]string
}

func (d decisionCounter) WithTags(tags map[string]string) client.MetricsHandler {
	merged := maps.Clone(d.tags)
	maps.Copy(merged, tags)
	return decisionCounter{d.MetricsHandler, d.mu, d.counts, merged}
}

func (d decisionCounter) Counter(name string) client.MetricsCounter {
	return counterFunc(func(n int64) {
		d.mu.Lock()
		defer d.mu.Unlock()
		if name == "asteroid_execute_decisions" && n > 0 { // the activity announces its counters
			d.counts[d.tags["decision"]] += n
		}
	})
}

type counterFunc func(int64)

func (c counterFunc) Inc(n int64) { c(n) }

func TestExecuteAgentCountsDecisionsByLabel(t *testing.T) {
	t.Parallel()
	f := newAgentFixture(t)
	counted := decisionCounter{client.MetricsNopHandler, &sync.Mutex{}, map[string]int64{}, map[string]string{}}
	plugin, err := worker.NewPlugin(f.options)
	require.NoError(t, err)
	execute := func(key string) {
		var suite sdktestsuite.WorkflowTestSuite
		suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
		suite.SetMetricsHandler(counted)
		env := suite.NewTestActivityEnvironment()
		env.SetWorkerOptions(sdkworker.Options{Plugins: []sdkworker.Plugin{plugin}})
		_, err := env.ExecuteActivity(asteroid.ExecuteAgentName, asteroid.ExecuteAgentInput{AgentID: f.agent, IdempotencyKey: key})
		require.NoError(t, err)
	}
	execute("order-42")
	execute("order-42")
	execute("order-43")
	require.Equal(t, map[string]int64{"posted": 2, "adopted": 1}, counted.counts)
}
