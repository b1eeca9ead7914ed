package asteroid_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/api"
)

func TestStatusClassCoversEveryStatusOfTheContract(t *testing.T) {
	t.Parallel()
	classes := map[api.ExecutionStatus]asteroid.StatusClass{
		api.ExecutionStatusQueued:               asteroid.ClassPending,
		api.ExecutionStatusStarting:             asteroid.ClassProcessing,
		api.ExecutionStatusRunning:              asteroid.ClassProcessing,
		api.ExecutionStatusPaused:               asteroid.ClassPaused,
		api.ExecutionStatusPausedByAgent:        asteroid.ClassNeedsHuman,
		api.ExecutionStatusAwaitingConfirmation: asteroid.ClassNeedsHuman,
		api.ExecutionStatusCompleted:            asteroid.ClassTerminal,
		api.ExecutionStatusCancelled:            asteroid.ClassTerminal,
		api.ExecutionStatusFailed:               asteroid.ClassTerminal,
	}
	for status, class := range classes {
		require.True(t, status.Valid(), status)
		got := asteroid.Status(status)
		require.Equal(t, class, got.Class(), status)
		require.Equal(t, class == asteroid.ClassTerminal, got.Terminal(), status)
		require.Equal(t, class == asteroid.ClassNeedsHuman, got.NeedsHuman(), status)
	}
}

func TestStatusClassOfAnUnpublishedStatusIsUnknown(t *testing.T) {
	t.Parallel()
	for _, status := range []asteroid.Status{"", "hibernating", "Completed"} {
		require.Equal(t, asteroid.ClassUnknown, status.Class())
		require.False(t, status.Terminal())
		require.False(t, status.NeedsHuman())
	}
}
