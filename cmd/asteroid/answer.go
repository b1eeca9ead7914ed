package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// answerSettings are the flags of asteroid answer.
type answerSettings struct {
	whichAgent

	options []string
	text    string
}

func (c *cli) newAnswerCommand() *cobra.Command {
	var s answerSettings
	command := &cobra.Command{
		Use:   "answer WORKFLOW",
		Short: "Answer what an agent asks",
		Long: help("Answer what an agent asks. Without --option and --text, the command shows the question and reads the choice.",
			"The answer belongs to the question that the agent asks now. If it has asked something else meanwhile, nothing is sent."),
		Example: "  asteroid answer claim-1042\n" +
			"  asteroid answer claim-1042 --option Savings\n" +
			"  asteroid answer claim-1042 --option 'Account=Savings' --option 'Documents=Invoice' --option 'Documents=Photo'",
		Args:              usageArgs(cobra.ExactArgs(1)),
		ValidArgsFunction: c.completeWorkflow,
		RunE: func(command *cobra.Command, args []string) error {
			if command.Flags().Changed("text") && strings.TrimSpace(s.text) == "" {
				return usageErrorf("--text is empty: write an answer")
			}
			return c.answer(command.Context(), args[0], s)
		},
	}
	s.addFlags(command.Flags())
	command.Flags().StringArrayVar(&s.options, "option", nil, "choose the suggested answer with this `label` or number; with several questions, question=label; repeatable")
	command.Flags().StringVar(&s.text, "text", "", "answer with this `text`, or add it to the chosen options")
	return command
}

func (c *cli) answer(ctx context.Context, workflowID string, settings answerSettings) error {
	request := func(w *foundWorkflow, agent *workflows.AgentState) (string, any, error) {
		if err := answerable(w, agent, settings.asking); err != nil {
			return "", nil, err
		}
		in := workflows.AnswerInput{ExecutionID: agent.ExecutionID, Asking: agent.Asking, Text: settings.text}
		var err error
		if len(settings.options) == 0 && settings.text == "" {
			err = c.askPerson(ctx, agent, &in)
		} else {
			in.Answers, err = chooseOptions(agent.Questions, settings.options)
		}
		return workflows.AnswerUpdate, in, err
	}
	return c.steer(ctx, workflowID, steering{which: settings.whichAgent, meant: waits, wanted: "waits for a person", request: request, done: answered})
}

// answered says what became of an answer.
func answered(result *workflows.SteerResult) string {
	switch {
	case result.AlreadySent:
		return "had this answer already: " + oneLine(result.Message)
	case result.Misplaced:
		return "has the answer, but went on before it arrived: see its page. It is: " + oneLine(result.Message)
	default:
		return "has the answer: " + oneLine(result.Message)
	}
}

// answerable returns why the agent takes no answer, if it takes none.
func answerable(w *foundWorkflow, agent *workflows.AgentState, asking string) error {
	switch sent := agent.Answer; {
	case !waits(agent):
		return fmt.Errorf("%s asks nothing: it %s", nameOf(agent), activity(agent))
	case agent.Asking == "":
		return fmt.Errorf("what %s asks cannot be read yet: try again, or answer in the console", nameOf(agent))
	case asking != "" && asking != agent.Asking:
		return fmt.Errorf("%s asks something else now, and nothing was sent: %q: asteroid show %s shows it", nameOf(agent), asked(agent), argument(w.id()))
	case sent != nil && sent.Asking == agent.Asking && sent.Error == "":
		return fmt.Errorf("the question was answered already: %s", latestAnswer(agent))
	case agent.Status == asteroid.StatusAwaitingConfirmation:
		return fmt.Errorf("%s awaits a confirmation, which an answer does not give: approve it in the console (%s), then asteroid resume %s",
			nameOf(agent), agent.PlatformURL, argument(w.id()))
	}
	return nil
}

// chooseOptions returns the answers that the options choose. A question is named by its number,
// header or text, an option by its label or number.
func chooseOptions(questions []asteroid.Question, options []string) ([]workflows.Answer, error) {
	chosen := make([][]string, len(questions))
	for _, given := range options {
		n, label, err := findOption(questions, given)
		if err != nil {
			return nil, err
		}
		chosen[n] = append(chosen[n], label)
	}
	var answers []workflows.Answer
	for n, labels := range chosen {
		switch {
		case len(labels) == 0:
			continue
		case len(labels) > 1 && !questions[n].MultiSelect:
			return nil, usageErrorf("%q takes one answer: choose one of %s", questions[n].Question, labelsOf(questions[n]))
		}
		answers = append(answers, answerTo(questions, n, labels))
	}
	return answers, nil
}

// answerTo returns the answer to the question at n.
func answerTo(questions []asteroid.Question, n int, labels []string) workflows.Answer {
	answer := workflows.Answer{Labels: labels}
	if len(questions) > 1 {
		answer.Question = questions[n].Question
	}
	return answer
}

// findOption returns the question and the label that an --option names.
func findOption(questions []asteroid.Question, given string) (question int, label string, err error) {
	if name, rest, named := strings.Cut(given, "="); named && len(questions) > 1 {
		for n, q := range questions {
			if strings.EqualFold(name, q.Header) || name == q.Question || name == strconv.Itoa(n+1) {
				if label, ok := optionOf(q, rest); ok {
					return n, label, nil
				}
				return 0, "", usageErrorf("--option %q: %q has no such answer: choose one of %s", given, q.Question, labelsOf(q))
			}
		}
	}
	var fitting []int
	var labels []string
	for n, q := range questions {
		if found, ok := optionOf(q, given); ok {
			fitting, label = append(fitting, n), found
		}
		labels = append(labels, labelsOf(q))
	}
	switch {
	case len(fitting) == 1:
		return fitting[0], label, nil
	case len(fitting) > 1:
		return 0, "", usageErrorf("--option %q answers several questions: write question=label, such as --option '1=%s'", given, label)
	case strings.Join(labels, "") == "":
		return 0, "", usageErrorf("--option %q: the agent suggests no answers: give --text", given)
	}
	return 0, "", usageErrorf("--option %q is none of the suggested answers: %s", given, strings.Join(slices.DeleteFunc(labels, func(l string) bool { return l == "" }), "; "))
}

// optionOf returns the label of the option that has the label or number.
func optionOf(q asteroid.Question, given string) (label string, ok bool) {
	given = strings.TrimSpace(given)
	for _, same := range []func(i int, label string) bool{
		func(_ int, label string) bool { return label == given },
		func(_ int, label string) bool { return strings.EqualFold(label, given) },
		func(i int, _ string) bool { return strconv.Itoa(i+1) == given },
	} {
		for i, option := range q.Options {
			if same(i, option.Label) {
				return option.Label, true
			}
		}
	}
	return "", false
}

func labelsOf(q asteroid.Question) string {
	var labels []string
	for _, option := range q.Options {
		labels = append(labels, strconv.Quote(option.Label))
	}
	return strings.Join(labels, ", ")
}

// askPerson shows what the agent asks and reads the answer from the standard input. The dialogue is
// on the standard error output, so that --json stays JSON.
func (c *cli) askPerson(ctx context.Context, agent *workflows.AgentState, in *workflows.AnswerInput) error {
	lines := c.lines()
	fmt.Fprintf(c.err, "%s asks (execution %s, %s):\n", nameOf(agent), oneLine(agent.ExecutionID), ago(agent.AskedSince))
	if len(agent.Questions) == 0 {
		fmt.Fprintf(c.err, "\n  %s\n", asked(agent))
		text, err := c.readAnswer(ctx, lines, "Answer: ")
		in.Text = text
		return err
	}
	var texts []string
	for n, q := range agent.Questions {
		fmt.Fprintf(c.err, "\n  %s\n", strings.TrimPrefix(oneLine(q.Header)+": ", ": ")+oneLine(q.Question))
		printOptions(c.err, q)
		labels, text, err := c.readChoice(ctx, lines, q)
		switch {
		case err != nil:
			return err
		case len(labels) > 0:
			in.Answers = append(in.Answers, answerTo(agent.Questions, n, labels))
		case len(agent.Questions) > 1:
			texts = append(texts, q.Question+" "+text)
		default:
			texts = append(texts, text)
		}
	}
	in.Text = strings.Join(texts, "\n")
	return nil
}

// readChoice reads the labels that a person chooses, or a text. It asks again after a number that
// no option has.
func (c *cli) readChoice(ctx context.Context, lines <-chan string, q asteroid.Question) (labels []string, text string, err error) {
	for {
		given, err := c.readAnswer(ctx, lines, prompt(q))
		if err != nil {
			return nil, "", err
		}
		if labels, ok := optionsOf(q, given); ok {
			return labels, "", nil
		}
		if len(q.Options) == 0 || strings.Trim(given, "0123456789, ") != "" {
			return nil, given, nil
		}
		fmt.Fprintf(c.err, "  %q chooses nothing: there are the answers 1 to %d. --text sends a number.\n", given, len(q.Options))
	}
}

func prompt(q asteroid.Question) string {
	switch {
	case len(q.Options) == 0:
		return "Answer: "
	case q.MultiSelect:
		return "Choose by number, several as in 1,2, or write an answer: "
	default:
		return "Choose by number, or write an answer: "
	}
}

// optionsOf returns the labels that a person chose: one, or several separated by commas.
func optionsOf(q asteroid.Question, given string) (labels []string, ok bool) {
	if label, ok := optionOf(q, given); ok {
		return []string{label}, true
	}
	if !q.MultiSelect {
		return nil, false
	}
	for part := range strings.SplitSeq(given, ",") {
		label, ok := optionOf(q, part)
		if !ok {
			return nil, false
		}
		if !slices.Contains(labels, label) {
			labels = append(labels, label)
		}
	}
	return labels, true
}

// errNoAnswer ends a dialogue.
var errNoAnswer = usageErrorf("no answer was given, and nothing was sent: give --option or --text")

// readAnswer asks until a line is not empty.
func (c *cli) readAnswer(ctx context.Context, lines <-chan string, prompt string) (string, error) {
	for {
		fmt.Fprint(c.err, "  "+prompt)
		select {
		case <-ctx.Done():
			fmt.Fprintln(c.err)
			return "", codedError{exitInterrupted, errors.New("interrupted, and nothing was sent")}
		case line, open := <-lines:
			if given := strings.TrimSpace(line); given != "" || !open {
				if given == "" {
					fmt.Fprintln(c.err)
					return "", errNoAnswer
				}
				return given, nil
			}
		}
	}
}

// lines returns the lines of the standard input. Only an interrupt or its end stops the reading.
func (c *cli) lines() <-chan string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		scanner := bufio.NewScanner(c.in)
		for scanner.Scan() {
			lines <- scanner.Text()
		}
	}()
	return lines
}
