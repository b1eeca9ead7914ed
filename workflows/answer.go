package workflows

import (
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// AnswerInput is the argument of [AnswerUpdate]: labels of the suggested answers, a text, or both.
type AnswerInput struct {
	// ExecutionID and Asking are required. They are those of the AgentState that shows the
	// question.
	ExecutionID string `json:"executionId"`
	Asking      string `json:"asking"`
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

// validateAnswer refuses an answer that is wrong as far as the workflow knows. It accepts one that
// names an asking for an agent that asks nothing yet: handleAnswer reads the execution then.
func (a *agents) validateAnswer(in AnswerInput) error {
	if len(in.Answers) == 0 && strings.TrimSpace(in.Text) == "" {
		return asteroid.NewInvalidInput("answers", "is empty, and so is text: choose labels, write a text, or both")
	}
	if err := validateLength("text", in.Text); err != nil {
		return err
	}
	r, err := a.findRun(in.ExecutionID)
	if err == nil {
		err = r.checkAsking(in.Asking)
	}
	switch {
	case err != nil:
		return err
	case r.state.Status.NeedsHuman():
		if _, err := r.state.answerText(in); err != nil {
			return err
		}
	case in.Asking == "":
		return asteroid.NewInvalidInput("asking", fmt.Sprintf("is required, and execution %s asks nothing: it is %s", in.ExecutionID, r.state.Status))
	}
	return checkRoom(max(a.handling, r.updatesInFlight))
}

func (a *agents) handleAnswer(ctx workflow.Context, in AnswerInput) (*SteerResult, error) {
	r, err := a.findRun(in.ExecutionID)
	if err != nil {
		return nil, err
	}
	return r.deliver(ctx, in.Asking, func(ctx workflow.Context) (string, error) {
		if r.state.Status.NeedsHuman() && r.state.Asking == in.Asking {
			return r.state.answerText(in)
		}
		state, err := r.readQuestion(ctx, in.Asking)
		if err != nil {
			return "", err
		}
		return state.answerText(in)
	})
}

// readQuestion reads a question that the workflow does not know of.
func (r *AgentRun) readQuestion(ctx workflow.Context, asking string) (*AgentState, error) {
	e, err := r.getExecution(ctx, r.executed.ExecutionID)
	if err != nil {
		return nil, err
	}
	asks := &AgentState{ExecutionID: e.ExecutionID, Phase: PhaseNeedsHuman, Status: e.Status, Reason: e.Reason, Questions: e.Questions, Asking: e.Asking}
	switch {
	case !e.Status.NeedsHuman():
		return nil, asteroid.NewInvalidInput("asking", fmt.Sprintf("%q is over: execution %s is %s", text.Clip(asking), e.ExecutionID, e.Status))
	case e.Asking != asking:
		return nil, asteroid.NewInvalidInput("asking", fmt.Sprintf("%q is not what the agent asks: %s", text.Clip(asking), asks.askingText()))
	}
	return asks, nil
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
	if words := strings.TrimSpace(in.Text); words != "" {
		return strings.Join(append(lines, words), "\n"), nil
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
