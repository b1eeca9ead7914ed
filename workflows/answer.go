package workflows

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
)

// AnswerInput is the argument of [AnswerUpdate]: labels of the suggested answers, a text, or both.
type AnswerInput struct {
	// ExecutionID may be empty in a workflow that has one agent at work.
	ExecutionID string `json:"executionId,omitempty"`
	// Answers choose among the options of the open questions. Without a Text, each question that
	// has options must be answered.
	Answers []Answer `json:"answers,omitempty"`
	// Text is sent to the agent after the chosen labels, or instead of them.
	Text string `json:"text,omitempty"`
}

// Answer chooses among the options of one question.
type Answer struct {
	// Question is the question's text or header. It may be empty if one question is open.
	Question string `json:"question,omitempty"`
	// Labels are the exact labels of the chosen options: one, or several with MultiSelect.
	Labels []string `json:"labels"`
}

// validateAnswer refuses an answer that is wrong as far as the workflow knows. It accepts one for
// an agent that asks nothing yet: handleAnswer reads the execution then.
func (a *agents) validateAnswer(in AnswerInput) error {
	if len(in.Answers) == 0 && strings.TrimSpace(in.Text) == "" {
		return asteroid.NewInvalidInput("answers", "is empty, and so is text: choose labels, write a text, or both")
	}
	if err := validateLength("text", in.Text); err != nil {
		return err
	}
	r, err := a.findRun(in.ExecutionID)
	if err != nil || !r.state.Status.NeedsHuman() {
		return err
	}
	_, err = r.state.answerText(in)
	return err
}

func (a *agents) handleAnswer(ctx workflow.Context, in AnswerInput) (*SteerResult, error) {
	r, err := a.findRun(in.ExecutionID)
	if err != nil {
		return nil, err
	}
	state, changedAt := *r.state, r.changedAt
	if !state.Status.NeedsHuman() {
		if state, changedAt, err = r.readQuestion(ctx); err != nil {
			return nil, err
		}
	}
	message, err := state.answerText(in)
	if err != nil {
		return nil, err
	}
	return r.sendMessage(ctx, message, state.Status, changedAt)
}

// readQuestion reads a question that the workflow does not know of yet, and since when it is asked.
func (r *AgentRun) readQuestion(ctx workflow.Context) (AgentState, time.Time, error) {
	ctx, done := r.beginUpdate(ctx)
	defer done()
	e, err := r.getExecution(ctx, r.executed.ExecutionID)
	if err != nil {
		return AgentState{}, time.Time{}, err
	}
	r.rereads.request("") // so that the wait observes the question too
	if !e.Status.NeedsHuman() || e.ExecutionID != r.executed.ExecutionID {
		return AgentState{}, time.Time{}, asteroid.NewInvalidInput("executionId", fmt.Sprintf("execution %s asks nothing: it is %s", e.ExecutionID, e.Status))
	}
	return AgentState{Status: e.Status, Reason: e.Reason, Questions: e.Questions}, e.StatusChangedAt, nil
}

// answerText returns the message that answers the agent's questions: the chosen labels and the
// text. The API does not define a form for answers.
func (s *AgentState) answerText(in AnswerInput) (string, error) {
	if s.Status == asteroid.StatusAwaitingConfirmation {
		return "", asteroid.NewInvalidInput("executionId", "awaits a confirmation, which an answer does not give: approve it in the console, or see "+ResumeUpdate)
	}
	var lines []string
	answered := map[int]bool{}
	for i, answer := range in.Answers {
		field := fmt.Sprintf("answers[%d]", i)
		n, err := s.findQuestion(field, answer.Question)
		if err != nil {
			return "", err
		}
		question := s.Questions[n]
		if answered[n] {
			return "", asteroid.NewInvalidInput(field+".question", fmt.Sprintf("%q is answered twice", question.Question))
		}
		answered[n] = true
		if err := validateLabels(field+".labels", question, answer.Labels); err != nil {
			return "", err
		}
		line := strings.Join(answer.Labels, ", ")
		if len(s.Questions) > 1 {
			line = question.Question + " " + line
		}
		lines = append(lines, line)
	}
	if text := strings.TrimSpace(in.Text); text != "" {
		return strings.Join(append(lines, text), "\n"), nil
	}
	for n, q := range s.Questions {
		if len(q.Options) > 0 && !answered[n] {
			return "", asteroid.NewInvalidInput("answers", fmt.Sprintf("has none for %q: choose one of %s, or write a text", q.Question, optionLabels(q)))
		}
	}
	return strings.Join(lines, "\n"), nil
}

// findQuestion returns the index of the question that an answer is for.
func (s *AgentState) findQuestion(field, question string) (int, error) {
	if len(s.Questions) == 0 {
		return 0, asteroid.NewInvalidInput(field, "the agent suggests no answers: write a text")
	}
	if question == "" && len(s.Questions) == 1 {
		return 0, nil
	}
	for n, q := range s.Questions {
		if question != "" && (q.Question == question || q.Header == question) {
			return n, nil
		}
	}
	open := strings.Join(texts(s.Questions, func(q asteroid.Question) string { return fmt.Sprintf("%q", q.Question) }), ", ")
	return 0, asteroid.NewInvalidInput(field+".question", fmt.Sprintf("%q is none of the open questions: %s", question, open))
}

func validateLabels(field string, q asteroid.Question, chosen []string) error {
	switch {
	case len(q.Options) == 0:
		return asteroid.NewInvalidInput(field, fmt.Sprintf("%q suggests no answers: write a text", q.Question))
	case len(chosen) == 0:
		return asteroid.NewInvalidInput(field, fmt.Sprintf("is empty: choose one of %s", optionLabels(q)))
	case len(chosen) > 1 && !q.MultiSelect:
		return asteroid.NewInvalidInput(field, fmt.Sprintf("has %d labels, but %q takes one answer", len(chosen), q.Question))
	}
	for i, label := range chosen {
		if !slices.ContainsFunc(q.Options, func(o asteroid.QuestionOption) bool { return o.Label == label }) {
			return asteroid.NewInvalidInput(field, fmt.Sprintf("%q is none of the suggested answers: %s", label, optionLabels(q)))
		}
		if slices.Contains(chosen[:i], label) {
			return asteroid.NewInvalidInput(field, fmt.Sprintf("%q is chosen twice", label))
		}
	}
	return nil
}

func optionLabels(q asteroid.Question) string {
	return strings.Join(texts(q.Options, func(o asteroid.QuestionOption) string { return fmt.Sprintf("%q", o.Label) }), ", ")
}
