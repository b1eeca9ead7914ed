package workflows_test

import (
	"context"

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
