package workflows_test

import (
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

var fenced = regexp.MustCompile("(?s)```(json|sh)\n  (.*?)\n  ```")

func TestMarkdownShowsHowToAnswer(t *testing.T) {
	t.Parallel()
	const odd = "it's `$(rm)` \u202e\u2066\x1b </script>"
	account := asteroid.Question{Question: "Which account?", Options: []asteroid.QuestionOption{{Label: "Checking"}, {Label: "Savings"}}}
	why := asteroid.Question{Question: odd, Options: []asteroid.QuestionOption{{Label: odd}}}
	long := asteroid.Question{Question: "Which?", Options: []asteroid.QuestionOption{{Label: strings.Repeat("long ", 2000)}}}
	for name, row := range map[string]struct {
		status    asteroid.Status
		questions []asteroid.Question
		update    string
		want      workflows.AnswerInput
	}{
		"a choice":       {asteroid.StatusPausedByAgent, []asteroid.Question{account}, workflows.AnswerUpdate, workflows.AnswerInput{Answers: []workflows.Answer{{Labels: []string{"Checking"}}}}},
		"two questions":  {asteroid.StatusPausedByAgent, []asteroid.Question{account, why}, workflows.AnswerUpdate, workflows.AnswerInput{Answers: []workflows.Answer{{Question: "Which account?", Labels: []string{"Checking"}}, {Question: odd, Labels: []string{odd}}}}},
		"a text":         {asteroid.StatusPausedByAgent, nil, workflows.AnswerUpdate, workflows.AnswerInput{Text: "your answer"}},
		"a long choice":  {asteroid.StatusPausedByAgent, []asteroid.Question{long}, workflows.AnswerUpdate, workflows.AnswerInput{Text: "your answer"}},
		"a confirmation": {asteroid.StatusAwaitingConfirmation, nil, workflows.ResumeUpdate, workflows.AnswerInput{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			state := workflows.AgentState{
				AgentName: "patient", Phase: workflows.PhaseNeedsHuman, Status: row.status, ExecutionID: "e-1", Asking: "5f0c2a9d1b7e",
				Reason: "Which?", Questions: row.questions, LiveViewURL: "https://live.asteroid.ai/e-1",
			}
			page := workflows.MarkdownIn(state, "claims", "it's claim 1042")
			_, how, found := strings.Cut(page, "Send an Update")
			require.True(t, found)
			require.NotContains(t, how, "\u202e")
			require.Contains(t, page, "(https://live.asteroid.ai/e-1)")
			blocks := fenced.FindAllStringSubmatch(page, -1)
			require.Len(t, blocks, 2)

			row.want.ExecutionID, row.want.Asking = state.ExecutionID, state.Asking
			var shown workflows.AnswerInput
			require.NoError(t, asteroid.DecodeInput([]byte(blocks[0][2]), &shown))
			require.Equal(t, row.want, shown)

			printed, err := exec.CommandContext(t.Context(), "sh", "-c", "temporal() { printf '%s\\n' \"$@\"; }\n"+blocks[1][2]).Output()
			require.NoError(t, err)
			arguments := strings.Split(strings.TrimSpace(string(printed)), "\n")
			require.Equal(t, []string{
				"workflow", "update", "execute", "--namespace", "claims", "--workflow-id", "it's claim 1042", "--name", row.update, "--input", blocks[0][2],
			}, arguments)
		})
	}
}

func TestMarkdownShowsWhatBecameOfAnAnswer(t *testing.T) {
	t.Parallel()
	state := workflows.AgentState{Phase: workflows.PhaseNeedsHuman, Status: asteroid.StatusPausedByAgent, ExecutionID: "e-1", Asking: "5f0c2a9d1b7e"}
	for text, row := range map[string]struct {
		sent  workflows.SentAnswer
		again bool // the page says how to answer
	}{
		"`Savings`, being delivered": {workflows.SentAnswer{Asking: state.Asking, Message: "Savings"}, false},
		"`Savings`, delivered":       {workflows.SentAnswer{Asking: state.Asking, Message: "Savings", Delivered: true}, false},
		"`Savings` failed: `no`":     {workflows.SentAnswer{Asking: state.Asking, Message: "Savings", Error: "no"}, true},
		"How to answer":              {workflows.SentAnswer{Asking: "another", Message: "Savings"}, true},
	} {
		state.Answer = &row.sent
		page := workflows.MarkdownIn(state, "default", "claim-1042")
		require.Contains(t, page, text)
		require.Equal(t, row.again, strings.Contains(page, "How to answer"), text)
	}
}

func TestRunAgentSummariesNameTheAgent(t *testing.T) {
	t.Parallel()
	b := newEventBench(t)
	agent := b.askingAgent(account)
	b.event(5*time.Second, asteroid.ExecutionEvent{Status: asteroid.StatusRunning})
	b.event(62*time.Second, asteroid.ExecutionEvent{Status: asteroid.StatusPausedByAgent})
	b.RegisterDelayedCallback(func() { b.answer(t, workflows.AnswerInput{Text: "Savings"}) }, time.Hour)
	spy := &optionsSpy{}
	b.options.Interceptors = append(b.options.Interceptors, spy)
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
	require.NoError(t, err)
	for _, summary := range []string{"asks is at work; looked at again every 10 min", "asks waits for a person", "asks gets a message"} {
		require.True(t, slices.Contains(spy.summaries, summary), "%q", spy.summaries)
	}
}

func TestRunAgentSummariesAreNeutral(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	agent := b.api.AddAgent("pay\u202egpj.exe\x1b", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.Work(time.Minute), testsuite.Complete("success", "", 1)}
	})
	spy := &optionsSpy{}
	b.options.Interceptors = append(b.options.Interceptors, spy)
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
	require.NoError(t, err)
	require.NotContains(t, strings.Join(spy.summaries, " "), "\u202e")
	require.Contains(t, strings.Join(spy.summaries, " "), "pay\ufffdgpj.exe\ufffd")
}
