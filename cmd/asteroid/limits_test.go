package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

func TestLimitsAreListedShownSetAndFreed(t *testing.T) {
	c := newClients(t, defaultNamespace)
	c.startWorker()
	agent := c.api.ServeAgent("busy", func(testsuite.Run) []testsuite.Step { return []testsuite.Step{testsuite.Work(time.Hour)} })
	key := "login of " + t.Name()
	show := func() asteroid.LimiterState {
		return decoded[asteroid.LimiterState](t, c.ok(c.asteroid("limits", "show", key, "--json")))
	}
	refused(t, c.asteroid("limits", "show", key), 3, "nobody holds or wants a permit")
	refused(t, c.asteroid("limits", "show", "profile/A-1"), 3, "nobody holds or wants a permit of profile/a-1")
	holder := c.start(agent, "--limit", key+"=1", "--fairness-key", "one")
	c.awaitAgents(holder, all(1, workflows.PhaseRunning))
	waiter := c.start(agent, "--limit", key+"=1", "--fairness-key", "two")
	c.awaitAgents(waiter, all(1, workflows.PhaseWaitingForPermit))

	require.Contains(t, c.ok(c.asteroid("show", waiter)), "waits for a permit of "+key+", 0 before it")
	require.Regexp(t, key+" +default +1 of 1 +1 +"+c.queue, c.ok(c.asteroid("limits", "list")))
	shown := c.ok(c.asteroid("limits", "show", key))
	require.Regexp(t, "holds +"+holder+" +one", shown)
	require.Regexp(t, "waits +"+waiter+" +two", shown)
	require.Contains(t, shown, "1 of 1 held")

	require.Contains(t, c.ok(c.asteroid("limits", "set", key, "2")), "of 2 held, set by an operator")
	c.awaitAgents(waiter, all(1, workflows.PhaseRunning))
	require.Equal(t, 2, len(show().Holders))
	token := show().Holders[0].Token
	require.Contains(t, c.ok(c.asteroid("limits", "free", key, token)), "1 of 2 held")
	refused(t, c.asteroid("limits", "free", key, token), 3, "nobody with this token")
	refused(t, c.asteroid("limits", "set", key, "many"), 2, "give a number")
	refused(t, c.asteroid("limits", "set", key, "5000"), 2, "1 to 1000")
	refused(t, c.asteroid("run", agent, "--limit", "login"), 2, "key=max")
	c.ok(c.asteroid("cancel", holder))
	c.ok(c.asteroid("cancel", waiter))
}

// A busy limiter continues as new every few seconds.
func TestLimitsAreThoseOfTheLimitersCurrentRun(t *testing.T) {
	c := newClients(t, defaultNamespace)
	c.startWorker()
	id := asteroid.LimiterWorkflowID("", t.Name())
	start := func() (w *foundWorkflow) {
		_, err := c.temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
			ID: id, TaskQueue: c.queue, WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING,
		}, workflows.LimiterName, asteroid.LimiterInput{Connection: asteroid.DefaultConnection, Key: t.Name()})
		require.NoError(t, err)
		w, err = (&service{c.temporal, c.address, c.namespace}).find(t.Context(), id)
		require.NoError(t, err)
		return w
	}
	found := start()
	start()
	set, err := found.updateLimiter(t.Context(), asteroid.SetLimitUpdate, asteroid.SetLimitInput{Max: 7})
	require.NoError(t, err)
	require.Equal(t, 7, set.Max)
	shown, err := found.limiterState(t.Context())
	require.NoError(t, err)
	require.Equal(t, 7, shown.Max)
	_, err = found.updateLimiter(t.Context(), asteroid.SetLimitUpdate, asteroid.SetLimitInput{})
	require.NoError(t, err)
}
