package workflows_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

func TestRunAgentShowsWhatIsKnownLaterThanTheStatus(t *testing.T) {
	t.Parallel()
	for _, events := range bothEvents {
		t.Run(string(events), func(t *testing.T) {
			t.Parallel()
			b := newAlteredBench(t, events, func(after time.Duration, execution map[string]any) {
				switch {
				case after < 3*time.Minute:
					delete(execution, "liveViewUrl")
					delete(execution, "browserLiveViewUrl")
				case after > 30*time.Minute:
					execution["liveViewUrl"] = "https://live.asteroid.ai/other"
				}
			})
			agent := b.workingAgent(2 * time.Hour)
			shows := func(after time.Duration, link string) {
				b.RegisterDelayedCallback(func() { require.Contains(t, b.state(t).LiveViewURL, link) }, after)
			}
			b.RegisterDelayedCallback(func() { require.Empty(t, b.state(t).LiveViewURL) }, 2*time.Minute)
			shows(4*time.Minute, "/live")
			shows(41*time.Minute, "/other")
			_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
			require.NoError(t, err)
		})
	}
}

// A service that signs its links anew at each read must not make a history that grows with time.
func TestRunAgentBoundsThePollsThatShowOnlyAnotherLink(t *testing.T) {
	t.Parallel()
	b := newAlteredBench(t, asteroid.EventsPoll, func(after time.Duration, execution map[string]any) {
		execution["liveViewUrl"] = "https://live.asteroid.ai/view?signed=" + after.String()
	})
	var scheduled []string
	b.SetOnActivityStartedListener(onFirstAttempt(&scheduled))
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: b.workingAgent(5 * time.Hour)})
	require.NoError(t, err)
	require.Less(t, len(scheduled), 20)
}

func TestRunAgentShowsSinceWhenTheExecutionCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, events := range bothEvents {
		t.Run(string(events), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.events = events
			began := b.Now()
			agent := b.workingAgent(4 * time.Hour)
			var polls int
			b.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, _ converter.EncodedValues) {
				if info.ActivityType.Name == asteroid.AwaitExecutionName && info.Attempt == 1 {
					polls++
				}
			})
			b.RegisterDelayedCallback(func() {
				b.api.Inject("ExecutionGet", testsuite.Answer(http.StatusForbidden, "{}"), 40)
			}, time.Hour)
			b.RegisterDelayedCallback(func() {
				state := b.state(t)
				require.WithinDuration(t, began.Add(time.Hour), state.UnreadableSince, 11*time.Minute)
				require.Equal(t, workflows.PhaseRunning, state.Phase)
				require.Contains(t, workflows.Markdown(state, nil, ""), "cannot be read since")
			}, 80*time.Minute)
			b.RegisterDelayedCallback(func() { require.Zero(t, b.state(t).UnreadableSince) }, 3*time.Hour)
			_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
			require.NoError(t, err)
			require.LessOrEqual(t, polls, 4, "until it runs, until the report, until it is readable, until it ends")
		})
	}
}

func TestRunAgentGivesUpAfterSixHoursWithoutARead(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	began := b.Now()
	agent := b.workingAgent(40 * time.Hour)
	b.RegisterDelayedCallback(func() {
		b.api.Inject("ExecutionGet", testsuite.Answer(http.StatusUnauthorized, "{}"), 100_000)
	}, time.Hour)
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
	require.True(t, asteroid.IsUnauthorized(err), "%v", err)
	require.ErrorContains(t, err, "was not terminal when it was last read")
	require.WithinDuration(t, began.Add(7*time.Hour), b.Now(), 10*time.Minute, "the report does not begin the six hours anew")
	details, _ := asteroid.DetailsOf(err)
	require.WithinDuration(t, began.Add(time.Hour), details.UnreadableSince, time.Minute)
}

// A run that starts slowly has not started without its files.
func TestRunAgentChecksTheUploadsOfARunThatStartsSlowly(t *testing.T) {
	t.Parallel()
	slow := 20 * time.Minute
	b := newAlteredBench(t, asteroid.EventsPoll, func(after time.Duration, execution map[string]any) {
		if after < slow {
			execution["status"] = "starting"
		}
	})
	b.RegisterDelayedCallback(func() {
		b.api.Inject("ExecutionFilesGet", testsuite.Answer(http.StatusOK, `{"directories":{}}`, "Content-Type", "application/json"), 43)
	}, 0)
	in := workflows.RunAgentInput{AgentID: b.workingAgent(time.Hour), Files: []asteroid.FileRef{{URI: "data:text/csv,a"}}}
	result, err := b.runAgent(t, in)
	require.NoError(t, err)
	require.Equal(t, asteroid.StatusCompleted, result.Status)
}
