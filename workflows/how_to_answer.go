package workflows

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf16"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// latestAnswer says what was answered to what the agent asks, and what became of it.
func (s *AgentState) latestAnswer() string {
	sent := s.Answer
	if s.Phase != PhaseNeedsHuman || sent == nil || sent.Asking != s.Asking {
		return ""
	}
	message := inlineCode(sent.Message)
	if message == "" {
		message = "without a message"
	}
	since := " since " + sent.Since.UTC().Format(clockTime)
	switch {
	case sent.Error != "":
		return message + " failed: " + inlineCode(sent.Error)
	case sent.Delivered:
		return message + ", delivered; the agent has not gone on yet" + since
	default:
		return message + ", being delivered" + since
	}
}

// howToAnswer tells a person who reads the page what to do about an agent that waits, in Markdown.
func (s *AgentState) howToAnswer() string {
	switch {
	case s.Phase == PhasePaused:
		return s.howToSend("Resume", ResumeUpdate, SteerInput{ExecutionID: s.ExecutionID}, "")
	case s.Phase != PhaseNeedsHuman || s.answerPending():
		return ""
	case s.Asking == "":
		return "- **How to answer**: what the agent asks cannot be read yet, and an answer can only be given in the console\n"
	case s.Status == asteroid.StatusAwaitingConfirmation:
		return s.howToSend("Go on", ResumeUpdate, SteerInput{ExecutionID: s.ExecutionID, Asking: s.Asking},
			" Approve in the console what is to be approved. This only resumes the agent.")
	}
	return s.howToSend("How to answer", AnswerUpdate, s.answerTemplate(), " Put your own choice into the input.")
}

// howToSend shows an update with its input, for the web UI and for the command line.
func (s *AgentState) howToSend(label, update string, in any, advice string) string {
	input := neutralJSON(in)
	return fmt.Sprintf("- **%s**: send this workflow the update `%s`, in the web UI by *More Actions*, *Send an Update*.%s"+
		"\n\n  ```json\n  %s\n  ```\n\n  or on the command line\n\n  ```sh\n  %s\n  ```\n\n", label, update, advice, input, updateCommand(s.workflow, update, input))
}

// updateCommand returns the command line that sends a workflow an update. An empty input is none.
func updateCommand(info *workflow.Info, update, input string) string {
	command := "temporal workflow update execute"
	if info != nil {
		const shown = 200 // in bytes; a longer id is the reader's to fill in
		if namespace := info.Namespace; namespace != "default" && len(namespace) <= shown {
			command += " --namespace " + shellQuoted(namespace)
		}
		if id := info.WorkflowExecution.ID; len(id) <= shown {
			command += " --workflow-id " + shellQuoted(id)
		}
	}
	command += " --name " + update
	if input != "" {
		command += " --input '" + input + "'"
	}
	return command
}

// answerTemplate returns an answer to all that the agent asks, with the first of the suggested
// labels.
func (s *AgentState) answerTemplate() AnswerInput {
	in := AnswerInput{ExecutionID: s.ExecutionID, Asking: s.Asking}
	for _, q := range s.Questions {
		if len(q.Options) == 0 {
			continue
		}
		answer := Answer{Labels: []string{q.Options[0].Label}}
		if len(s.Questions) > 1 {
			answer.Question = q.Question
		}
		in.Answers = append(in.Answers, answer)
	}
	const limit = 2000 // in bytes: the page has room for a text instead
	if len(in.Answers) == 0 || len(neutralJSON(in)) > limit {
		in.Answers, in.Text = nil, "your answer"
	}
	return in
}

// neutralJSON returns JSON in which every character that ends a quotation in Markdown or a shell,
// or that misleads, is escaped. One input always has the same JSON.
//
//workflowcheck:ignore
func neutralJSON(v any) string {
	raw, _ := json.Marshal(v) // the inputs of updates always marshal
	var out strings.Builder
	for _, c := range string(raw) {
		if c != '\'' && c != '`' && !text.Misleading(c) {
			out.WriteRune(c)
			continue
		}
		for _, unit := range utf16.Encode([]rune{c}) {
			fmt.Fprintf(&out, `\u%04x`, unit)
		}
	}
	return out.String()
}

// shellQuoted returns an argument as a shell reads it.
func shellQuoted(argument string) string {
	plain := func(c rune) bool {
		return strings.ContainsRune("-_.:/@", c) || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
	}
	if strings.IndexFunc(argument, func(c rune) bool { return !plain(c) }) < 0 {
		return argument
	}
	return "'" + strings.ReplaceAll(text.Clean(argument), "'", `'\''`) + "'"
}
