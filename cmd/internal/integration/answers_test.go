package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	history "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// said is one answer of a person, and what became of it.
type said struct {
	text   string // ends in the time of the question that it is meant for
	result workflows.SteerResult
	err    error
}

const meantFor = " for the question of "

// Two people answer each question of each agent at once, and the console some of them. A message
// that stalls arrives after what was sent later, one whose response is lost may be sent again.
func TestAnswersOfRacingPeopleReachTheirQuestions(t *testing.T) {
	s := newStack(t,
		testsuite.WithChance("ExecutionUserMessagesAdd", 0.3, testsuite.Stall(200*time.Millisecond)),
		testsuite.WithChance("ExecutionUserMessagesAdd", 0.15, testsuite.LoseResponse()))
	agents, atOnce := 24, make(chan struct{}, 12)
	if *many {
		agents = 180
	}
	s.startWorker()
	const questions = 3
	asker := func(words string) string {
		return s.api.ServeAgent(words, func(testsuite.Run) []testsuite.Step {
			var steps []testsuite.Step
			for i := range questions {
				steps = append(steps, testsuite.Work(50*time.Millisecond), testsuite.Ask(strings.ReplaceAll(words, "#", fmt.Sprint(i)), "Yes", "No"))
			}
			return append(steps, testsuite.Complete("success", "", 1))
		})
	}
	kinds := []string{asker("Go on?"), asker("Pay for item #?")}
	var mu sync.Mutex
	answers := map[string][]said{} // by execution
	var wait sync.WaitGroup
	for i := range agents {
		atOnce <- struct{}{}
		run := s.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{AgentID: kinds[i%2]})
		wait.Go(func() {
			defer func() { <-atOnce }()
			for range questions {
				agent := s.awaitState(run, func(state workflows.State) bool {
					return asks(state) || state.Agents[0].Phase == workflows.PhaseCompleted
				}).Agents[0]
				if agent.Phase == workflows.PhaseCompleted {
					return
				}
				for _, answer := range s.answerAtOnce(run, agent, i%4 == 0) {
					mu.Lock()
					answers[agent.ExecutionID] = append(answers[agent.ExecutionID], answer)
					mu.Unlock()
				}
				s.awaitState(run, func(state workflows.State) bool { return state.Agents[0].Asking != agent.Asking })
			}
		})
	}
	wait.Wait()
	total, accepted := 0, 0
	for id, said := range answers {
		total += len(said)
		accepted += s.requireEachInPlace(id, said)
	}
	t.Logf("%d answers, %d accepted", total, accepted)
	require.Greater(t, accepted, agents)
}

// answerAtOnce has two people answer what the agent asks, and the console too if console is set.
func (s *stack) answerAtOnce(run client.WorkflowRun, agent workflows.AgentState, console bool) []said {
	asked := agent.Statuses[len(agent.Statuses)-1].Since.UTC().Format(time.RFC3339Nano)
	answers := make([]said, 2)
	var wait sync.WaitGroup
	for i := range answers {
		wait.Go(func() {
			a := &answers[i]
			a.text = fmt.Sprintf("person %d%s%s", i, meantFor, asked)
			a.result, a.err = s.update(run, workflows.AnswerUpdate, workflows.AnswerInput{ExecutionID: agent.ExecutionID, Asking: agent.Asking, Text: a.text})
		})
	}
	if console {
		wait.Go(func() {
			path := "/agents/v2/executions/" + agent.ExecutionID + "/user-messages"
			if response, err := s.request(http.MethodPost, path, `{"message":"console"}`); err == nil {
				_ = response.Body.Close()
			}
		})
	}
	wait.Wait()
	return answers
}

// A reset applies accepted updates again, at a point where another question may be asked.
func TestResetGivesAnAnswerToNoOtherQuestion(t *testing.T) {
	s := newStack(t)
	s.startWorker()
	run := s.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{AgentID: s.api.ServeAgent("asks", asksTwice)})
	s.awaitQuestion(run, "Which account shall I use?")
	_, err := s.answer(run, workflows.AnswerInput{Text: "Yes, go on"})
	require.NoError(t, err)
	s.awaitQuestion(run, "Which documents belong to the claim?")
	run = s.resetTo(run, 1) // the execution is known, its first question is not
	s.awaitQuestion(run, "Which documents belong to the claim?")
	_, err = s.answer(run, workflows.AnswerInput{Text: "All of them"})
	require.NoError(t, err)
	var result workflows.RunAgentResult
	require.NoError(t, run.Get(s.ctx(), &result))
	require.JSONEq(t, `["Yes, go on","All of them"]`, string(result.Result()))
	require.True(t, slices.ContainsFunc(s.history(run).Events, func(event *history.HistoryEvent) bool {
		return event.GetWorkflowExecutionUpdateAdmittedEventAttributes() != nil
	}), "the server admitted the first answer again")
}

// requireEachInPlace checks the answers to one execution against its log, and returns how many were
// accepted.
func (s *stack) requireEachInPlace(id string, answers []said) (accepted int) {
	received := map[string]int{}
	misplaced := map[string]bool{}
	asked, open := "", false
	for _, entry := range s.log(id) {
		switch payload := entry.Payload; {
		case payload.Status == "paused_by_agent":
			asked, open = entry.Timestamp.UTC().Format(time.RFC3339Nano), true
		case payload.ActivityType == "user_message_received":
			received[payload.Message]++
			_, meant, byUpdate := strings.Cut(payload.Message, meantFor)
			misplaced[payload.Message] = byUpdate && (!open || meant != asked)
			open = false
		}
	}
	for _, a := range answers {
		if a.err != nil {
			require.True(s.t, asteroid.IsInvalidInput(a.err), "refused, and nothing else: %v", a.err)
			require.Zero(s.t, received[a.text], "%v", a.err)
			continue
		}
		accepted++
		require.Equal(s.t, 1, received[a.text], "%+v", a)
		require.Equal(s.t, misplaced[a.text], a.result.Misplaced, "%+v", a)
	}
	return accepted
}

// logEntry is an entry of an execution's log.
type logEntry struct {
	Timestamp time.Time
	Payload   struct{ ActivityType, Status, Message string }
}

// log returns an execution's log, the oldest entry first.
func (s *stack) log(id string) (entries []logEntry) {
	s.t.Helper()
	response, err := s.request(http.MethodGet, "/agents/v2/executions/"+id+"/activities", "")
	require.NoError(s.t, err)
	require.NoError(s.t, json.NewDecoder(response.Body).Decode(&entries))
	return entries
}

// request sends a request to the fake API as the console does.
func (s *stack) request(method, path, body string) (*http.Response, error) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.ctx(), method, s.api.BaseURL()+path, strings.NewReader(body))
	require.NoError(s.t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Asteroid-Agents-Api-Key", s.api.APIKey())
	return http.DefaultClient.Do(r)
}
