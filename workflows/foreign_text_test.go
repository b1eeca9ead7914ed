package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/text"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

func TestRunAgentWaitsForTheAnswerToAQuestionOfAnySize(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	agent := b.askingAgent(testsuite.Question{Text: strings.Repeat("?", 1200<<10), Options: []testsuite.Choice{{Label: strings.Repeat("y", 1200<<10)}, {Label: "No"}}})
	b.RegisterDelayedCallback(func() {
		asked := b.state(t).Questions
		require.Len(t, asked[0].Question, 2000)
		require.Len(t, asked[0].Options[0].Label, 500)
		require.NoError(t, b.answer(t, workflows.AnswerInput{Answers: []workflows.Answer{{Labels: []string{"No"}}}}).rejected)
	}, 3*time.Minute)
	result, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent, HumanTimeoutSeconds: 7200})
	require.NoError(t, err)
	require.JSONEq(t, `["No"]`, string(result.Result()))
}

func TestRunAgentShowsNoMisleadingCharacters(t *testing.T) {
	t.Parallel()
	const evil = "pay\u202egpj.exe\u2066\x00\x1b[31m"
	b := newBench(t)
	agent := b.api.ServeAgent(evil, func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.Work(time.Minute), testsuite.Ask(evil, evil), testsuite.Fail(evil)}
	})
	var shown []string
	key := temporal.NewSearchAttributeKeyKeyword("Asks")
	b.OnUpsertTypedSearchAttributes(mock.Anything).Run(func(args mock.Arguments) {
		value, _ := args.Get(0).(temporal.SearchAttributes).GetKeyword(key)
		shown = append(shown, value)
	}).Return(nil)
	b.RegisterDelayedCallback(func() {
		state := b.state(t)
		shown = append(shown, state.AgentName, state.Reason, state.Questions[0].Question, state.Questions[0].Options[0].Label)
		b.update(t, workflows.AnswerUpdate, workflows.AnswerInput{ExecutionID: state.ExecutionID, Asking: state.Asking, Text: "no"})
	}, time.Hour)
	_, err := b.runAgent(t, workflows.RunAgentInput{
		AgentID: agent, Files: []asteroid.FileRef{{URI: "data:,x", Name: evil}}, QuestionSearchAttribute: "Asks",
	})
	require.True(t, asteroid.IsExecutionFailed(err), "%v", err)
	state := b.state(t)
	shown = append(shown, state.Reason, state.Error, state.Files[0].Name, err.Error())
	require.Contains(t, strings.Join(shown, "\n"), "pay\ufffdgpj.exe")
	for _, value := range shown {
		require.False(t, strings.ContainsFunc(value, text.Misleading), "%q", value)
	}
}

func TestUpdatesRefuseTextsThatAreTooLong(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	agent := b.askingAgent(account)
	long := strings.Repeat("x", 1<<20)
	var outcomes []*updateOutcome
	b.RegisterDelayedCallback(func() {
		id, asking := b.state(t).ExecutionID, b.state(t).Asking
		outcomes = append(outcomes,
			b.update(t, workflows.AnswerUpdate, workflows.AnswerInput{ExecutionID: id, Asking: asking, Text: long}),
			b.update(t, workflows.AnswerUpdate, workflows.AnswerInput{ExecutionID: id, Asking: asking, Answers: []workflows.Answer{{Labels: []string{long}}}}),
			b.update(t, workflows.SendMessageUpdate, workflows.MessageInput{ExecutionID: id, Asking: asking, Message: long}),
			b.update(t, workflows.PauseUpdate, workflows.SteerInput{ExecutionID: long}),
		)
		b.update(t, workflows.AnswerUpdate, workflows.AnswerInput{ExecutionID: id, Asking: asking, Text: "Savings"})
	}, time.Hour)
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
	require.NoError(t, err)
	require.Len(t, outcomes, 4)
	for i, outcome := range outcomes {
		require.True(t, asteroid.IsInvalidInput(outcome.rejected), "%d: %v", i, outcome.failed)
		require.Less(t, len(outcome.rejected.Error()), 2000)
	}
}
