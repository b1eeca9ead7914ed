//go:build unix

package activities_test

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
)

func TestStageFilesRejectsNamedPipe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "pipe")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	env := newEnv(t, worker.Options{Connections: connect(testsuite.NewAPI(t)), FileRoots: []string{dir}})
	_, err := env.ExecuteActivity(asteroid.StageFilesName, asteroid.StageFilesInput{Files: []asteroid.FileRef{{URI: "file://" + path}}})
	require.True(t, asteroid.IsInvalidInput(err), "%v", err)
	require.Contains(t, err.Error(), "not a regular file")
}
