package asteroid_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/api"
)

func TestEveryStatusOfTheContractHasAClass(t *testing.T) {
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
		require.Equal(t, class, asteroid.Status(status).Class(), status)
	}
}

func TestAnUnpublishedStatusIsUnknownAndNoEnd(t *testing.T) {
	t.Parallel()
	for _, status := range []asteroid.Status{"", "hibernating", "Completed"} {
		require.Equal(t, asteroid.ClassUnknown, status.Class())
		require.False(t, status.Terminal())
		require.False(t, status.NeedsHuman())
	}
}
