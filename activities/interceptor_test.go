package activities_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/worker"
)

func TestInterceptorBoundsWhatActivitiesReturn(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 3<<20)
	run := func(name string, fn any) (*asteroid.Execution, error) {
		env := newEnv(t, worker.Options{Connections: expectNoRequest(t)})
		env.RegisterActivityWithOptions(fn, activity.RegisterOptions{Name: name})
		return runActivity[asteroid.Execution](env, name, nil)
	}
	e, err := run("asteroid.Large", func(context.Context) (*asteroid.Execution, error) {
		return &asteroid.Execution{ExecutionID: "e-1", ExecutionResult: &asteroid.ExecutionResult{Result: json.RawMessage(`"` + long + `"`)}}, nil
	})
	require.NoError(t, err)
	require.Equal(t, asteroid.ExecutionResultURI("e-1"), e.ResultOmitted.URI)

	_, err = run("asteroid.List", func(context.Context) ([]string, error) { return []string{long}, nil })
	require.True(t, asteroid.IsResultTooLarge(err), "%v", err)
	require.True(t, applicationError(t, err).NonRetryable())

	_, err = run("asteroid.Fails", func(context.Context) error {
		return temporal.NewApplicationError(long, asteroid.ErrorTypeNotFound, asteroid.ErrorDetails{ExecutionID: "e-1", Reason: long})
	})
	require.True(t, asteroid.IsNotFound(err))
	require.Less(t, len(err.Error()), 3<<10)
	details, _ := asteroid.DetailsOf(err)
	require.Equal(t, "e-1", details.ExecutionID)

	_, err = run("mine.Fails", func(context.Context) error { return errors.New(long) })
	require.Greater(t, len(err.Error()), 3<<20, "activities of others are left alone")
}
