package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/cmd/internal/program"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// Scenarios of people.
var (
	twoAnswers     = &scenario{name: "two people answer", share: 3, run: (*scene).answerTwice}
	consoleAnswers = &scenario{name: "answers in the console and by update", share: 2, run: (*scene).answerInConsole}
	doubleResumes  = &scenario{name: "doubled resume", share: 2, run: (*scene).resumeTwice}
	lateAnswers    = &scenario{name: "deadline for people", share: 2, run: (*scene).answerLate}
)

// answer is what a person has said by update, and what became of it.
type answer struct {
	text  string
	asked time.Time // when the question was asked that the person has seen
	fate  fate
	// misplaced says that the workflow reports the answer as misplaced.
	misplaced bool
}

// fate is what became of an update.
type fate string

const (
	accepted fate = "accepted"
	refused  fate = "refused"
	unclear  fate = "unclear" // it is being delivered, or the workflow has closed
)

// serveAsker adds the scene's own agent, which asks the questions one after the other, and returns
// the input that runs it. Its result holds what it was told.
func (s *scene) serveAsker(questions []string) workflows.RunAgentInput {
	in := s.input(s.id, 0)
	in.AgentID = s.api.ServeAgent(s.id, func(run testsuite.Run) []testsuite.Step {
		return askAll(questions, []string{}, func(told []string) testsuite.Step {
			return testsuite.Complete("success", "Asked it.", map[string]any{inputIntent: run.Inputs[inputIntent], "told": told})
		})
	})
	return in
}

// askAll returns the steps of an agent that asks the questions, and ends with what it was told.
func askAll(questions, told []string, end func(told []string) testsuite.Step) []testsuite.Step {
	work := testsuite.Work(300 * time.Millisecond)
	if len(questions) == 0 {
		return []testsuite.Step{work, end(told)}
	}
	question := testsuite.Question{Text: questions[0], Options: []testsuite.Choice{{Label: "Yes"}, {Label: "No"}}}
	return []testsuite.Step{work, testsuite.AskFor(question, func(answer string) []testsuite.Step {
		return askAll(questions[1:], append(slices.Clone(told), answer), end)
	})}
}

// questions returns two or three questions, which have the same words or not.
func (s *scene) questions() (questions []string) {
	same := s.random.IntN(2) == 0
	for i := range 2 + s.random.IntN(2) {
		if same {
			i = 0
		}
		questions = append(questions, fmt.Sprintf("Pay for item %d?", i))
	}
	return questions
}

// answerTwice lets two people answer each question at once. A worker dies while it sends an answer.
func (s *scene) answerTwice(ctx context.Context) []outcome {
	killed := false
	return s.converse(ctx, func(agent workflows.AgentState) []answer {
		var both sync.WaitGroup
		answers := make([]answer, 2)
		for i := range answers {
			both.Go(func() { answers[i] = s.answerByUpdate(ctx, agent, fmt.Sprintf("person %d", i)) })
		}
		if !killed {
			s.api.InjectAbout(agent.ExecutionID, messageOperation, testsuite.Stall(stallTime), 1)
			killed = s.killIn(ctx, s.id, asteroid.SendMessageName)
		}
		both.Wait()
		if answers[0].fate != unclear || answers[1].fate != unclear {
			s.tally.fire(kindTwoAnswers)
		}
		return answers
	})
}

// answerInConsole lets one person answer each question in the console, and another by update at the
// same time.
func (s *scene) answerInConsole(ctx context.Context) []outcome {
	return s.converse(ctx, func(agent workflows.AgentState) []answer {
		var both sync.WaitGroup
		var posted bool
		both.Go(func() {
			posted = s.request(ctx, http.MethodPost, agent.ExecutionID, "/user-messages", `{"message":"in the console"}`, nil) == nil
		})
		byUpdate := s.answerByUpdate(ctx, agent, "by update")
		both.Wait()
		if posted {
			s.tally.fire(kindConsoleAnswer)
		}
		return []answer{byUpdate}
	})
}

// converse runs an agent that asks, and has each question answered. It checks where the answers
// arrived.
func (s *scene) converse(ctx context.Context, reply func(workflows.AgentState) []answer) []outcome {
	s.startRunAgent(ctx, s.id, taskQueue, s.serveAsker(s.questions()))
	var answers []answer
	s.followQuestions(ctx, func(agent workflows.AgentState) { answers = append(answers, reply(agent)...) })
	o := s.closeRunAgent(ctx)
	if e, ok := s.api.Execution(o.executionID); ok && o.state == stateCompleted {
		checkAnswers(s.findings, o.workflowID, e, askingsIn(s.readLog(ctx, e.ID)), answers)
	}
	return []outcome{o}
}

// followQuestions calls reply for each question that nobody has answered by update, until the
// workflow has ended.
func (s *scene) followQuestions(ctx context.Context, reply func(workflows.AgentState)) {
	for {
		agent, ok := s.awaitState(ctx, s.id, unanswered)
		if !ok {
			return
		}
		reply(agent)
	}
}

// unanswered reports whether the agent asks, and no answer is on its way.
func unanswered(a workflows.AgentState) bool {
	return a.Status.NeedsHuman() && a.Asking != "" && len(a.Statuses) > 0 &&
		(a.Answer == nil || a.Answer.Asking != a.Asking || a.Answer.Error != "")
}

// askedAt returns when the agent began to ask, by the service's clock.
func askedAt(a workflows.AgentState) time.Time { return a.Statuses[len(a.Statuses)-1].Since }

func (s *scene) answerByUpdate(ctx context.Context, agent workflows.AgentState, who string) answer {
	a := answer{text: fmt.Sprintf("%s, to %s (%s)", who, agent.Asking, uuid.NewString()), asked: askedAt(agent)}
	var result workflows.SteerResult
	a.fate = s.update(ctx, workflows.AnswerUpdate, workflows.AnswerInput{ExecutionID: agent.ExecutionID, Asking: agent.Asking, Text: a.text}, &result)
	if a.misplaced = result.Misplaced; result.Delivering {
		a.fate = unclear
	}
	return a
}

// update sends an update to the scene's workflow and decodes its result.
func (s *scene) update(ctx context.Context, name string, in, result any) fate {
	return s.updateOf(ctx, s.id, name, in, result)
}

// updateOf sends an update to a workflow, again if it is not known what became of it, and decodes
// its result unless result is nil. A nil input is none.
func (s *scene) updateOf(ctx context.Context, workflowID, name string, in, result any) (f fate) {
	f = unclear
	var args []any
	if in != nil {
		args = append(args, in)
	}
	id := uuid.NewString() // the server carries out one update of this id
	retry(ctx, func(ctx context.Context) error {
		handle, err := s.temporal.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
			WorkflowID: workflowID, UpdateName: name, UpdateID: id, Args: args, WaitForStage: client.WorkflowUpdateStageCompleted,
		})
		if err == nil {
			err = handle.Get(ctx, result)
		}
		failure, failed := errors.AsType[*temporal.ApplicationError](err)
		_, closed := errors.AsType[*serviceerror.NotFound](err)
		switch {
		case err == nil:
			f = accepted
		case failed && strings.HasPrefix(failure.Type(), "asteroid."):
			f = refused
		case !failed && !closed:
			return err
		}
		return nil
	})
	return f
}

// checkAnswers finds answers that were accepted and lost, or arrived twice or at another question.
// askings are the times of the execution's questions, in order.
func checkAnswers(found *findings, workflowID string, e testsuite.Execution, askings []time.Time, answers []answer) {
	var result struct{ Told []string }
	_ = json.Unmarshal(e.Result, &result) // the audit finds a result that cannot be read
	for _, a := range answers {
		arrived := 0
		for _, m := range e.Messages {
			if m.Text == a.text {
				arrived++
			}
		}
		meant := slices.IndexFunc(askings, a.asked.Equal)
		told := slices.Index(result.Told, a.text)
		switch {
		case arrived > 1:
			found.add(foundMisplacedAnswer, workflowID, "the answer %q arrived %d times at execution %s", a.text, arrived, e.ID)
		case arrived == 0 && a.fate == accepted:
			found.add(foundMisplacedAnswer, workflowID, "the answer %q was accepted and did not arrive at execution %s", a.text, e.ID)
		case arrived == 1 && a.fate == refused:
			found.add(foundMisplacedAnswer, workflowID, "the answer %q was refused and arrived at execution %s", a.text, e.ID)
		case arrived == 1 && told != meant && !a.misplaced:
			found.add(foundMisplacedAnswer, workflowID, "the answer %q was meant for question %d of execution %s, and is the answer to question %d (-1: none)",
				a.text, meant, e.ID, told)
		}
	}
}

// confirmation is the confirmation that an agent has awaited since a time.
type confirmation struct{ asked, resumed time.Time }

// resumeTwice resumes an agent twice at once, each time it awaits a confirmation.
func (s *scene) resumeTwice(ctx context.Context) []outcome {
	in := s.input(s.id, 0)
	in.AgentID = s.api.ServeAgent(s.id, func(run testsuite.Run) []testsuite.Step {
		work, confirm := testsuite.Work(300*time.Millisecond), testsuite.AwaitConfirmation("Pay for the item?")
		result := map[string]any{inputIntent: run.Inputs[inputIntent]}
		return []testsuite.Step{work, confirm, work, confirm, work, testsuite.Complete("success", "Paid it.", result)}
	})
	s.startRunAgent(ctx, s.id, taskQueue, in)
	resumed := map[time.Time]time.Time{} // when each confirmation was given for the first time, by when it was asked for
	s.followQuestions(ctx, func(agent workflows.AgentState) {
		asked := askedAt(agent).UTC()
		if resumed[asked].IsZero() {
			// The resumes of the confirmation before must not give this one.
			program.Sleep(ctx, time.Second)
			resumed[asked] = time.Now()
		}
		var both sync.WaitGroup
		var fates [2]fate
		for i := range fates {
			both.Go(func() {
				var result workflows.SteerResult
				fates[i] = s.update(ctx, workflows.ResumeUpdate, workflows.SteerInput{ExecutionID: agent.ExecutionID, Asking: agent.Asking}, &result)
			})
		}
		both.Wait()
		if slices.Contains(fates[:], accepted) {
			s.tally.fire(kindDoubleResume)
		}
	})
	o := s.closeRunAgent(ctx)
	if o.state == stateCompleted {
		checkConfirmations(s.findings, o, confirmationsIn(s.readLog(ctx, o.executionID)), resumed)
	}
	return []outcome{o}
}

// checkConfirmations finds confirmations that were given before a person gave them.
func checkConfirmations(found *findings, o outcome, given []confirmation, resumed map[time.Time]time.Time) {
	for _, c := range given {
		if began := resumed[c.asked]; began.IsZero() || c.resumed.Before(began) {
			found.add(foundMisplacedAnswer, o.workflowID, "the confirmation that execution %s asked for at %s was given at %s, but no person gave it before %s",
				o.executionID, c.asked.Format(clock), c.resumed.Format(clock), began.Format(clock))
		}
	}
}

// answerLate lets the deadline for people pass. The agent's run is cancelled, or waits on and is
// answered.
func (s *scene) answerLate(ctx context.Context) []outcome {
	in := s.serveAsker([]string{"Which account?"})
	in.HumanTimeoutSeconds = 20 // two seconds by the run's scale
	waits := s.random.IntN(2) == 0
	if waits {
		in.OnHumanTimeout = workflows.HumanTimeoutKeepWaiting
	}
	s.startRunAgent(ctx, s.id, taskQueue, in)
	if waits {
		s.followQuestions(ctx, func(workflows.AgentState) {
			if agent, ok := s.awaitState(ctx, s.id, func(a workflows.AgentState) bool { return a.Overdue }); ok {
				s.tally.fire(kindHumanDeadline)
				s.answerByUpdate(ctx, agent, "late")
			}
		})
		return []outcome{s.closeRunAgent(ctx)}
	}
	o := outcome{intent: s.id, workflowID: s.id, expectUnanswered: true}
	s.awaitClose(ctx, &o)
	s.noteClosed(o)
	if o.errorType == asteroid.ErrorTypeExecutionTimedOut {
		s.tally.fire(kindHumanDeadline)
	}
	return []outcome{o}
}

// messageOperation is the operation that sends a message to an agent.
const messageOperation = "ExecutionUserMessagesAdd"
