package workflows_test

import (
	"context"
	"net/http"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
)

// onFirstAttempt records the activities in the order of their first attempts.
func onFirstAttempt(scheduled *[]string) func(*activity.Info, context.Context, converter.EncodedValues) {
	return func(info *activity.Info, _ context.Context, _ converter.EncodedValues) {
		if info.Attempt == 1 {
			*scheduled = append(*scheduled, info.ActivityType.Name)
		}
	}
}

// roundTripper is a transport in one function.
type roundTripper func(r *http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
