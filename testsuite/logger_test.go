package testsuite_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/log"

	"github.com/temporal-asteroid/asteroid/testsuite"
)

func TestNewLoggerPassesWarningsAndErrorsUntilTheEnd(t *testing.T) {
	t.Parallel()
	test := &ended{recorder: recorder{T: t}}
	var logger log.Logger = testsuite.NewLogger(test)
	logger.Debug("Auto fire timer", "TimerDuration", "30s")
	logger.Info("Agent executed", "agentId", "clerk")
	logger.Warn("The key is old")
	logger.Error("Activity error", "Attempt", 2, "Error", "no such page")
	test.end()
	logger.Error("Activity error", "Attempt", 3)
	require.Equal(t, []string{"WARN The key is old", "ERROR Activity error Attempt 2 Error no such page"}, test.logged)
}
