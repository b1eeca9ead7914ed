package workflows

import (
	"cmp"
	"math"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// patience is how long a step is retried by default while the service is down, limits the rate, or has no capacity.
const patience = 6 * time.Hour

// unlimited is written out because the test environment takes 0 to mean 10.
const unlimited = math.MaxInt32

// The default activity options, of which a typed call takes what its context leaves unset. They are functions, so that
// nobody can change them for others.
func transferDefaults() workflow.ActivityOptions {
	return workflow.ActivityOptions{
		StartToCloseTimeout:    time.Hour,
		ScheduleToCloseTimeout: patience,
		HeartbeatTimeout:       time.Minute,
		RetryPolicy:            retry(2*time.Second, time.Minute),
	}
}

func executeDefaults() workflow.ActivityOptions {
	return workflow.ActivityOptions{
		// Longer than what an attempt may need: a look, the request, another look. Its request is over before the next
		// attempt begins.
		StartToCloseTimeout:    2 * time.Minute,
		ScheduleToCloseTimeout: patience,
		RetryPolicy:            retry(5*time.Second, time.Minute),
		// A cancelled workflow must still learn the id of the agent that it started, to cancel that too.
		WaitForCancellation: true,
	}
}

func awaitDefaults() workflow.ActivityOptions {
	return workflow.ActivityOptions{
		StartToCloseTimeout: 2 * time.Minute,                    // the longest long poll, a read, and another for the reason
		RetryPolicy:         retry(time.Second, 30*time.Second), // the poll interval
	}
}

func listDefaults() workflow.ActivityOptions {
	return workflow.ActivityOptions{
		StartToCloseTimeout:    5 * time.Minute, // longer than a listing may keep changing
		ScheduleToCloseTimeout: time.Hour,
		RetryPolicy:            retry(time.Second, 30*time.Second),
	}
}

func callDefaults() workflow.ActivityOptions {
	return workflow.ActivityOptions{
		StartToCloseTimeout:    90 * time.Second,
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
	}
}

// withDefaults fills what the context's activity options leave unset.
func withDefaults(ctx workflow.Context, defaults workflow.ActivityOptions, summary string) workflow.Context {
	set := workflow.GetActivityOptions(ctx)
	set.StartToCloseTimeout = cmp.Or(set.StartToCloseTimeout, defaults.StartToCloseTimeout)
	set.ScheduleToCloseTimeout = cmp.Or(set.ScheduleToCloseTimeout, defaults.ScheduleToCloseTimeout)
	if defaults.HeartbeatTimeout == 0 {
		set.HeartbeatTimeout = 0 // the activity never heartbeats: a timeout set for others would end it
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
			NonRetryableErrorTypes: p.NonRetryableErrorTypes,
		}
		// A default maximum below a chosen first interval would be refused by the server.
		policy.MaximumInterval = max(policy.MaximumInterval, policy.InitialInterval)
	}
	set.RetryPolicy = &policy
	return workflow.WithActivityOptions(ctx, set)
}

// composed keeps, of the context's activity options, what says where and how urgently activities run. Timeouts and
// retry policies meant for one activity fit no flow of several.
func composed(ctx workflow.Context) workflow.Context {
	set := workflow.GetActivityOptions(ctx)
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:             set.TaskQueue,
		DisableEagerExecution: set.DisableEagerExecution,
		VersioningIntent:      set.VersioningIntent, //nolint:staticcheck // deprecated, but a caller's choice to keep
		Priority:              set.Priority,
	})
}
