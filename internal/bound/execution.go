package bound

import (
	"fmt"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/budget"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// Execution bounds an execution in place. Its result stays inline up to so many bytes.
func Execution(e *asteroid.Execution, inline int) {
	result(e, inline)
	e.ExecutionID, e.AgentID = text.Prose(e.ExecutionID, budget.ID), text.Prose(e.AgentID, budget.ID)
	e.ParentExecutionID = text.Prose(e.ParentExecutionID, budget.ID)
	e.AgentName = text.Line(e.AgentName, budget.Name)
	e.Status = asteroid.Status(text.Prose(string(e.Status), budget.Name))
	e.Reason = text.Prose(e.Reason, budget.Reason)
	if r := e.ExecutionResult; r != nil {
		r.Outcome, r.Reasoning = text.Line(r.Outcome, budget.Name), text.Prose(r.Reasoning, budget.Reasoning)
	}
	if who := e.StartedBy; who != nil {
		who.Kind, who.ID, who.Client = text.Line(who.Kind, budget.Name), text.Line(who.ID, budget.ID), text.Line(who.Client, budget.Name)
	}
	for i := range e.ScriptFailures {
		f := &e.ScriptFailures[i]
		f.Node, f.Script, f.Error = text.Line(f.Node, budget.Name), text.Line(f.Script, budget.Name), text.Prose(f.Error, budget.Description)
	}
	e.Questions = Questions(e.Questions, budget.Questions)
	for _, address := range []*string{&e.PlatformURL, &e.LiveViewURL, &e.RecordingURL} {
		*address = URL(*address, budget.URL)
	}
}

// URL returns an address, or nothing if it is longer than limit or misleading: a part of an address
// leads elsewhere.
func URL(address string, limit int) string {
	if len(address) > limit || text.Clean(address) != address {
		return ""
	}
	return address
}

// Questions returns the questions with bounded texts, the first ones that have limit bytes in JSON
// together. The last text says how many questions, or options of its question, are left out.
func Questions(asked []asteroid.Question, limit int) []asteroid.Question {
	var kept []asteroid.Question
	left := limit
	for _, q := range asked {
		q.Question = text.Prose(q.Question, min(budget.Question, limit/2))
		q.Header = text.Line(q.Header, budget.Name)
		suggested := q.Options
		q.Options = nil
		left -= Size(q) // not the lengths of the texts: a million empty ones are large, too
		if len(kept) > 0 && left < 0 {
			break
		}
		q.Options, left = options(suggested, left)
		if omitted := len(suggested) - len(q.Options); omitted > 0 {
			q.Question += fmt.Sprintf(" (... %d more answers)", omitted)
		}
		kept = append(kept, q)
	}
	if omitted := len(asked) - len(kept); omitted > 0 {
		kept[len(kept)-1].Question += fmt.Sprintf(" (... %d more questions)", omitted)
	}
	return kept
}

// options returns the first options that fit, and how many bytes are left.
func options(suggested []asteroid.QuestionOption, left int) ([]asteroid.QuestionOption, int) {
	var kept []asteroid.QuestionOption
	for _, o := range suggested {
		o.Label = text.Prose(o.Label, budget.Label)
		o.Description = text.Prose(o.Description, budget.Description)
		if left -= Size(o); left < 0 {
			break
		}
		kept = append(kept, o)
	}
	return kept, left
}
