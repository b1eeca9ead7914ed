package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/cmd/internal/child"
)

func TestDisruptorKillsTheWorkerThatIsNamedUnlessItIsHeld(t *testing.T) {
	t.Parallel()
	p := &processes{
		api: []string{"ASTEROID_API_KEY=none", secondKeyEnv + "=none", outputEnv + "=" + t.TempDir()}, address: "127.0.0.1:1",
		queues: []string{taskQueue, taskQueueSecond},
	}
	p.workers = make([]*child.Process, len(p.queues))
	t.Cleanup(p.close)
	for slot := range p.queues {
		require.NoError(t, p.startWorker(slot))
	}
	d := &disruptor{processes: p, tally: &tally{}, timeline: &timeline{}, held: map[int]bool{}, logf: t.Logf}
	second := p.worker(1)
	name := identity(second.Pid(), clockOffset(1))

	stop, release := d.holdWorkers(taskQueueSecond)
	require.False(t, d.killWorker(name))
	stop()
	require.Error(t, second.ExitError())
	require.NoError(t, p.worker(0).ExitError())
	require.NoError(t, release())
	require.NotEqual(t, second.Pid(), p.worker(1).Pid())
	require.False(t, d.killWorker(name), "it has exited")

	second = p.worker(1)
	require.True(t, d.killWorker(identity(second.Pid(), clockOffset(1))))
	require.Error(t, second.ExitError())
	require.NoError(t, p.worker(1).ExitError())
	require.Equal(t, map[kind]int{kindWorkerKilled: 2}, d.tally.fired)
}
