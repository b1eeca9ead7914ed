package files

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNewRootsRefusesWindows(t *testing.T) {
	require.ErrorContains(t, checkSystem("windows", "OutputRoots", []string{`C:\results`}), "OutputRoots")
	require.NoError(t, checkSystem("windows", "OutputRoots", nil))
	require.NoError(t, checkSystem("linux", "OutputRoots", []string{"/srv"}))
}
