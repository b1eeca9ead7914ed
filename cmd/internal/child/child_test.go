package child

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var roles = map[string]func(args []string) error{
	"serve": func(args []string) error {
		fmt.Println("ready", args, os.Getenv("CHILD_TEST"))
		<-ParentExited().Done()
		return nil
	},
	"hang": func([]string) error {
		fmt.Println("ready")
		time.Sleep(time.Hour)
		return nil
	},
	"fail": func([]string) error { return errors.New("no database") },
}

// TestMain lets the test binary run as a child of its tests.
func TestMain(m *testing.M) {
	if code, isSupervisor := Supervise(os.Args[1:]); isSupervisor {
		os.Exit(code)
	}
	maps.Copy(roles, programRoles)
	if code, isChild := Run(os.Args[1:], roles); isChild {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

func TestProcessRunsUntilItIsStopped(t *testing.T) {
	t.Parallel()
	p, err := Start("server", []string{"CHILD_TEST=yes"}, "serve", "a", "b")
	require.NoError(t, err)
	line, err := p.AwaitReady(t.Context())
	require.NoError(t, err)
	require.Equal(t, "ready [a b] yes", string(line))
	require.NoError(t, p.ExitError())
	require.Positive(t, p.Pid())
	require.NoError(t, p.Stop(time.Minute))
	require.EqualError(t, p.ExitError(), "server exited: no error output")
}

func TestProcessStopKillsServerThatHangs(t *testing.T) {
	t.Parallel()
	p, err := Start("server", nil, "hang")
	require.NoError(t, err)
	_, err = p.AwaitReady(t.Context())
	require.NoError(t, err)
	require.EqualError(t, p.Stop(time.Millisecond), "server did not stop within 1ms and was killed")
	require.Error(t, p.ExitError())
}

func TestProcessAwaitReadyReturnsErrorOutput(t *testing.T) {
	t.Parallel()
	p, err := Start("server", nil, "fail")
	require.NoError(t, err)
	_, err = p.AwaitReady(t.Context())
	require.EqualError(t, err, "server exited before it was ready: no database")
}

func TestProcessAwaitReadyEndsWithContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := (&Process{}).AwaitReady(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

func TestRunIgnoresOtherArguments(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"--runs", "3"}} {
		_, isChild := Run(args, roles)
		require.False(t, isChild)
	}
}
