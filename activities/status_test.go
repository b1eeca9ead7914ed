package activities_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/activities"
	"github.com/temporal-asteroid/asteroid/internal/api"
)

func TestEveryStatusOfTheContractHasAClass(t *testing.T) {
	t.Parallel()
	classes := map[api.ExecutionStatus]activities.StatusClass{
		api.ExecutionStatusQueued:               activities.ClassPending,
		api.ExecutionStatusStarting:             activities.ClassProcessing,
		api.ExecutionStatusRunning:              activities.ClassProcessing,
		api.ExecutionStatusPaused:               activities.ClassPaused,
		api.ExecutionStatusPausedByAgent:        activities.ClassNeedsHuman,
		api.ExecutionStatusAwaitingConfirmation: activities.ClassNeedsHuman,
		api.ExecutionStatusCompleted:            activities.ClassTerminal,
		api.ExecutionStatusCancelled:            activities.ClassTerminal,
		api.ExecutionStatusFailed:               activities.ClassTerminal,
	}
	for status, class := range classes {
		require.True(t, status.Valid(), status)
		require.Equal(t, class, activities.Status(status).Class(), status)
	}
}

func TestAnUnpublishedStatusIsUnknownAndNoEnd(t *testing.T) {
	t.Parallel()
	for _, status := range []activities.Status{"", "hibernating", "Completed"} {
		require.Equal(t, activities.ClassUnknown, status.Class())
		require.False(t, status.Terminal())
		require.False(t, status.NeedsHuman())
	}
}
