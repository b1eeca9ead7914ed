package workflows

import (
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
)

// AnswerInput is the argument of [AnswerUpdate]: labels of the suggested answers, a text of one's own, or both.
type AnswerInput struct {
	// ExecutionID may be empty in a workflow that has one agent at work.
	ExecutionID string `json:"executionId,omitempty"`
	// Answers choose among the options of the questions that are open. Without a Text every question that has options has to be
	// answered.
	Answers []Answer `json:"answers,omitempty"`
	// Text is what the agent is told besides, or instead.
	Text string `json:"text,omitempty"`
}

// Answer chooses among the options of one question.
type Answer struct {
	// Question is the question's text or header; it may be empty where one question is open.
	Question string `json:"question,omitempty"`
	// Labels are those of the options chosen, as they are spelled: one, or several where the question is MultiSelect.
	Labels []string `json:"labels"`
}

// checkAnswer refuses what is wrong as far as the workflow knows. It may not know yet that the agent asks, which answer finds out.
func (a *agents) checkAnswer(in AnswerInput) error {
	if len(in.Answers) == 0 && strings.TrimSpace(in.Text) == "" {
		return invalid("answers", "is empty, and so is text: choose labels, write a text, or both")
	}
	r, err := a.target(in.ExecutionID)
	if err != nil || !r.state.Status.NeedsHuman() {
		return err
	}
	_, err = r.state.reply(in)
	return err
}

func (a *agents) answer(ctx workflow.Context, in AnswerInput) (*SteerResult, error) {
	r, err := a.target(in.ExecutionID)
	if err != nil {
		return nil, err
	}
	if !r.state.Status.NeedsHuman() {
		return r.answerUnheard(ctx, in)
	}
	message, err := r.state.reply(in)
	if err != nil {
		return nil, err
	}
	return r.say(ctx, message, r.state.Status, r.changedAt)
}

// answerUnheard answers what the workflow does not know of yet.
func (r *AgentRun) answerUnheard(ctx workflow.Context, in AnswerInput) (*SteerResult, error) {
	lookCtx, done := r.wish(ctx)
	now, err := GetExecution(lookCtx, asteroid.GetExecutionInput{Connection: r.in.Connection, ExecutionID: r.executed.ExecutionID})
	done()
	if err != nil {
		return nil, err
	}
	r.hint("") // the wait will read the same, and keep it
	if !now.Status.NeedsHuman() || now.ExecutionID != r.executed.ExecutionID {
		return nil, invalid("executionId", fmt.Sprintf("execution %s asks nothing: it is %s", now.ExecutionID, now.Status))
	}
	asked := AgentState{Status: now.Status, Reason: now.Reason, Questions: now.Questions}
	message, err := asked.reply(in)
	if err != nil {
		return nil, err
	}
	return r.say(ctx, message, now.Status, now.StatusChangedAt)
}

// reply is the message that answers what the agent asks. The form of an answer is not published: it is text, the labels.
func (s *AgentState) reply(in AnswerInput) (string, error) {
	if s.Status == asteroid.StatusAwaitingConfirmation {
		return "", invalid("executionId", "awaits a confirmation, which no answer gives: approve it in the console, or see "+ResumeUpdate)
	}
	var lines []string
	answered := map[int]bool{}
	for i, answer := range in.Answers {
		field := fmt.Sprintf("answers[%d]", i)
		n, err := s.asked(field, answer.Question)
		if err != nil {
			return "", err
		}
		if answered[n] {
			return "", invalid(field+".question", fmt.Sprintf("%q is answered twice", s.Questions[n].Question))
		}
		answered[n] = true
		if err := checkLabels(field+".labels", s.Questions[n], answer.Labels); err != nil {
			return "", err
		}
		line := strings.Join(answer.Labels, ", ")
		if len(s.Questions) > 1 {
			line = s.Questions[n].Question + " " + line
		}
		lines = append(lines, line)
	}
	text := strings.TrimSpace(in.Text)
	if text != "" {
		return strings.Join(append(lines, text), "\n"), nil
	}
	for n, q := range s.Questions {
		if len(q.Options) > 0 && !answered[n] {
			return "", invalid("answers", fmt.Sprintf("leaves out %q: choose one of %s, or write a text", q.Question, labels(q)))
		}
	}
	return strings.Join(lines, "\n"), nil
}

// asked finds the question that an answer is for.
func (s *AgentState) asked(field, question string) (int, error) {
	if len(s.Questions) == 0 {
		return 0, invalid(field, "the agent suggests no answers: write a text")
	}
	if question == "" && len(s.Questions) == 1 {
		return 0, nil
	}
	known := make([]string, len(s.Questions))
	for n, q := range s.Questions {
		if question != "" && (q.Question == question || q.Header == question) {
			return n, nil
		}
		known[n] = fmt.Sprintf("%q", q.Question)
	}
	return 0, invalid(field+".question", fmt.Sprintf("%q is none of the questions that are open: %s", question, strings.Join(known, ", ")))
}

func checkLabels(field string, q asteroid.Question, chosen []string) error {
	switch {
	case len(q.Options) == 0:
		return invalid(field, fmt.Sprintf("%q suggests no answers: write a text", q.Question))
	case len(chosen) == 0:
		return invalid(field, fmt.Sprintf("is empty: choose one of %s", labels(q)))
	case len(chosen) > 1 && !q.MultiSelect:
		return invalid(field, fmt.Sprintf("has %d labels, but %q takes one answer", len(chosen), q.Question))
	}
	for i, label := range chosen {
		if !slices.ContainsFunc(q.Options, func(o asteroid.QuestionOption) bool { return o.Label == label }) {
			return invalid(field, fmt.Sprintf("%q is none of the answers that the agent suggests: %s", label, labels(q)))
		}
		if slices.Contains(chosen[:i], label) {
			return invalid(field, fmt.Sprintf("%q is chosen twice", label))
		}
	}
	return nil
}

func labels(q asteroid.Question) string {
	quoted := make([]string, len(q.Options))
	for i, o := range q.Options {
		quoted[i] = fmt.Sprintf("%q", o.Label)
	}
	return strings.Join(quoted, ", ")
}
