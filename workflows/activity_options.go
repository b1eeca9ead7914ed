package workflows

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
)

// defaultTimeout bounds the retries while the service is down, limits the rate or is full.
const defaultTimeout = 6 * time.Hour

const unlimited = math.MaxInt32 // not 0, which the test environment takes for 10

// The defaults are functions, so that no caller can change them for others.
func transferDefaults() workflow.ActivityOptions {
	return workflow.ActivityOptions{
		StartToCloseTimeout:    time.Hour,
		ScheduleToCloseTimeout: defaultTimeout,
		HeartbeatTimeout:       time.Minute,
		RetryPolicy:            retry(2*time.Second, time.Minute),
	}
}

func executeDefaults() workflow.ActivityOptions {
	return workflow.ActivityOptions{
		// Longer than lookup, request and lookup, so that attempts do not overlap.
		StartToCloseTimeout:    2 * time.Minute,
		ScheduleToCloseTimeout: defaultTimeout,
		RetryPolicy:            retry(5*time.Second, time.Minute),
		// A cancelled workflow still needs the id of the execution that it started, to cancel it.
		WaitForCancellation: true,
	}
}

func awaitDefaults() workflow.ActivityOptions {
	return workflow.ActivityOptions{
		StartToCloseTimeout: 2 * time.Minute,                    // the longest long poll, a read, and another for the reason
		RetryPolicy:         retry(time.Second, 30*time.Second), // the poll interval
	}
}

const attemptTimeout = 90 * time.Second // for an activity that makes few requests

func callDefaults(attempt time.Duration) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		StartToCloseTimeout:    attempt,
		ScheduleToCloseTimeout: time.Hour,
		RetryPolicy:            retry(time.Second, 30*time.Second),
	}
}

func retry(initial, maximum time.Duration) *temporal.RetryPolicy {
	return &temporal.RetryPolicy{
		InitialInterval:    initial,
		BackoffCoefficient: 1.5,
		MaximumInterval:    maximum,
		MaximumAttempts:    unlimited,

		NonRetryableErrorTypes: []string{payloadSizeError},
	}
}

// payloadSizeError is the type of the error with which the SDK fails an activity whose result is
// larger than the server takes. It would be as large the next time.
const payloadSizeError = "payloadSizeError"

// withDefaults sets the activity options that the context leaves unset.
func withDefaults(ctx workflow.Context, defaults workflow.ActivityOptions, summary string) workflow.Context {
	set := workflow.GetActivityOptions(ctx)
	set.StartToCloseTimeout = cmp.Or(set.StartToCloseTimeout, defaults.StartToCloseTimeout)
	set.ScheduleToCloseTimeout = cmp.Or(set.ScheduleToCloseTimeout, defaults.ScheduleToCloseTimeout)
	if defaults.HeartbeatTimeout == 0 {
		set.HeartbeatTimeout = 0 // the activity never heartbeats: the timeout of another one would end it
	} else {
		set.HeartbeatTimeout = cmp.Or(set.HeartbeatTimeout, defaults.HeartbeatTimeout)
	}
	set.Summary = cmp.Or(set.Summary, summary)
	set.WaitForCancellation = set.WaitForCancellation || defaults.WaitForCancellation
	policy := *defaults.RetryPolicy
	if p := set.RetryPolicy; p != nil {
		policy = temporal.RetryPolicy{
			InitialInterval:        cmp.Or(p.InitialInterval, policy.InitialInterval),
			BackoffCoefficient:     cmp.Or(p.BackoffCoefficient, policy.BackoffCoefficient),
			MaximumInterval:        cmp.Or(p.MaximumInterval, policy.MaximumInterval),
			MaximumAttempts:        cmp.Or(p.MaximumAttempts, policy.MaximumAttempts),
			NonRetryableErrorTypes: append(slices.Clone(p.NonRetryableErrorTypes), payloadSizeError),
		}
		// The server refuses a maximum interval below the initial one.
		policy.MaximumInterval = max(policy.MaximumInterval, policy.InitialInterval)
	}
	set.RetryPolicy = &policy
	return workflow.WithActivityOptions(ctx, set)
}

// keepProtocol removes from the context's activity options what would end an activity whose failed
// attempts are a part of its work: they wait, or look up what an earlier one has started. What is
// left of the caller's bounds is the ScheduleToCloseTimeout.
func keepProtocol(ctx workflow.Context, defaults workflow.ActivityOptions) workflow.Context {
	set := workflow.GetActivityOptions(ctx)
	// Without the time for its requests an attempt is repeated for ever, or its outcome is unknown.
	set.StartToCloseTimeout = max(set.StartToCloseTimeout, defaults.StartToCloseTimeout)
	set.ScheduleToStartTimeout = 0 // it is never retried: a deployment of the workers would end the wait
	if set.RetryPolicy != nil {
		policy := *set.RetryPolicy
		policy.MaximumAttempts = 0
		policy.NonRetryableErrorTypes = slices.DeleteFunc(slices.Clone(policy.NonRetryableErrorTypes), func(errorType string) bool {
			ours := strings.HasPrefix(errorType, "asteroid.") && errorType != asteroid.ErrorTypeAtCapacity
			return ours || strings.HasPrefix(errorType, "TemporalTimeout:")
		})
		set.RetryPolicy = &policy
	}
	return workflow.WithActivityOptions(ctx, set)
}

// routingOptions keeps those of the context's activity options that say where and how urgently
// activities run. Timeouts and retry policies for one activity do not fit several.
func routingOptions(ctx workflow.Context) workflow.Context {
	set := workflow.GetActivityOptions(ctx)
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:             set.TaskQueue,
		DisableEagerExecution: set.DisableEagerExecution,
		VersioningIntent:      set.VersioningIntent, //nolint:staticcheck // deprecated, but the caller's choice
		Priority:              set.Priority,
	})
}
