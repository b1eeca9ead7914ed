package asteroid_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
)

// predicates are all predicates, by the type that each reports.
var predicates = map[string]func(error) bool{
	asteroid.ErrorTypeInvalidInput:       asteroid.IsInvalidInput,
	asteroid.ErrorTypeUnauthorized:       asteroid.IsUnauthorized,
	asteroid.ErrorTypePaymentRequired:    asteroid.IsPaymentRequired,
	asteroid.ErrorTypeNotFound:           asteroid.IsNotFound,
	asteroid.ErrorTypeAtCapacity:         asteroid.IsAtCapacity,
	asteroid.ErrorTypeRateLimited:        asteroid.IsRateLimited,
	asteroid.ErrorTypeUnavailable:        asteroid.IsUnavailable,
	asteroid.ErrorTypeStagedFileExpired:  asteroid.IsStagedFileExpired,
	asteroid.ErrorTypeStillRunning:       asteroid.IsStillRunning,
	asteroid.ErrorTypeUnknownStatus:      asteroid.IsUnknownStatus,
	asteroid.ErrorTypeExecutionFailed:    asteroid.IsExecutionFailed,
	asteroid.ErrorTypeExecutionCancelled: asteroid.IsExecutionCancelled,
	asteroid.ErrorTypeExecutionTimedOut:  asteroid.IsExecutionTimedOut,
	asteroid.ErrorTypeResultTooLarge:     asteroid.IsResultTooLarge,
	asteroid.ErrorTypePermitRequired:     asteroid.IsPermitRequired,
	asteroid.ErrorTypePermitLost:         asteroid.IsPermitLost,
	asteroid.ErrorTypeLimiterFull:        asteroid.IsLimiterFull,
}

func TestPredicatesReportTheirOwnTypeHoweverItIsWrapped(t *testing.T) {
	t.Parallel()
	for errorType := range predicates {
		plain := temporal.NewApplicationError("it broke", errorType)
		cause := temporal.NewApplicationErrorWithCause("claim", "mine", plain)
		cause = fmt.Errorf("file the claim: %w", cause)
		office := temporal.NewApplicationErrorWithCause("office", "mine", cause)
		ours := temporal.NewApplicationErrorWithCause("claim", "asteroid.Other", plain)
		wrapped := map[string]error{
			"plain":                    plain,
			"in fmt.Errorf":            fmt.Errorf("file the claim: %w", plain),
			"in errors.Join":           errors.Join(errors.New("other"), plain),
			"joined behind another":    errors.Join(temporal.NewApplicationError("printer", "mine"), plain),
			"two in fmt.Errorf":        fmt.Errorf("claim: %w, %w", temporal.NewApplicationError("printer", "mine"), plain),
			"cause of another type":    cause,
			"cause of a cause":         office,
			"cause of another of ours": ours,
		}
		for name, err := range wrapped {
			for other, predicate := range predicates {
				require.Equal(t, other == errorType, predicate(err), "%s of %s %s", other, errorType, name)
			}
		}
	}
}

func TestPredicatesReportNothingOfOtherErrors(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		nil,
		errors.New("asteroid.NotFound"),
		temporal.NewApplicationError("asteroid.NotFound", ""),
		temporal.NewApplicationError("asteroid.NotFound", "NotFound"),
		temporal.NewCanceledError(),
	} {
		for errorType, predicate := range predicates {
			require.False(t, predicate(err), "%s of %v", errorType, err)
		}
	}
}

func TestNewInvalidInputIsFinalAndNamesTheField(t *testing.T) {
	t.Parallel()
	err := asteroid.NewInvalidInput("files", "name at least one file")
	var application *temporal.ApplicationError
	require.ErrorAs(t, err, &application)
	require.True(t, application.NonRetryable())
	require.Equal(t, asteroid.ErrorTypeInvalidInput, application.Type())
	require.Equal(t, "files: name at least one file", application.Message())
	details, ok := asteroid.DetailsOf(err)
	require.True(t, ok)
	require.Equal(t, asteroid.ErrorDetails{Field: "files"}, details)
}

func TestDetailsOf(t *testing.T) {
	t.Parallel()
	a, b := asteroid.ErrorDetails{ExecutionID: "a"}, asteroid.ErrorDetails{ExecutionID: "b"}
	failed := temporal.NewNonRetryableApplicationError("failed", asteroid.ErrorTypeExecutionFailed, nil, a)
	twice := temporal.NewNonRetryableApplicationError("gone", asteroid.ErrorTypeNotFound, failed, b)
	users := temporal.NewNonRetryableApplicationError("claim", "mine", failed, b)
	for name, row := range map[string]struct {
		err  error
		want *asteroid.ErrorDetails
	}{
		"nil":                              {nil, nil},
		"plain error":                      {errors.New("x"), nil},
		"of this package":                  {failed, &a},
		"wrapped":                          {fmt.Errorf("claim: %w", failed), &a},
		"cause of an error of the user's":  {users, &a},
		"outermost of two of this package": {twice, &b},
		"only one of the user's":           {temporal.NewApplicationError("claim", "mine", b), nil},
		"without details":                  {temporal.NewApplicationError("claim", asteroid.ErrorTypeNotFound), nil},
		"details of another type": {
			temporal.NewApplicationError("claim", asteroid.ErrorTypeNotFound, "text"), nil,
		},
		"joined behind one that names none": {errors.Join(asteroid.NewInvalidInput("files", "x"), failed), &a},
		"joined behind one of the user's":   {errors.Join(temporal.NewApplicationError("claim", "mine", b), failed), &a},
		"cancelled by the user's own code":  {temporal.NewCanceledError("text"), nil},
		"cancelled run":                     {temporal.NewCanceledError(b), &b},
		"cancelled run, wrapped":            {fmt.Errorf("claim: %w", temporal.NewCanceledError(b)), &b},
		"cancelled without details":         {temporal.NewCanceledError(), nil},
		"of this package before cancelled":  {errors.Join(temporal.NewCanceledError(b), failed), &a},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			details, ok := asteroid.DetailsOf(row.err)
			require.Equal(t, row.want != nil, ok)
			if row.want == nil {
				row.want = new(asteroid.ErrorDetails)
			}
			require.Equal(t, *row.want, details)
		})
	}
}
