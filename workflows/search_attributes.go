package workflows

import (
	"cmp"
	"slices"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/budget"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// searchAttributes returns the search attributes that show the agent: those that its execute found
// in the namespace. History holds them, so another option of the worker changes no open run. An
// execute of an earlier version looked for none.
func (r *AgentRun) searchAttributes() asteroid.SearchAttributes {
	if found := r.executed.SearchAttributes; found != nil {
		return *found
	}
	return asteroid.SearchAttributes{Question: r.in.QuestionSearchAttribute}
}

// shown returns the agent that the search attributes show: the first one that waits for a person,
// else the last one that was started of those at work, else of all. nil: none has been started.
func (a *agents) shown() (shown *AgentRun) {
	working := func(r *AgentRun) bool { return !r.finished && !r.state.terminal() }
	for _, r := range a.runs {
		switch {
		case r.state.Phase == PhaseNeedsHuman:
			return r
		case r.state.ExecutionID != "" && (working(r) || shown == nil || !working(shown)):
			shown = r
		}
	}
	return shown
}

// updateSearchAttributes sets the search attributes that have changed.
func (a *agents) updateSearchAttributes(ctx workflow.Context) {
	values := a.searchAttributes.unset()
	for _, r := range a.runs {
		if r.state.Phase == PhaseNeedsHuman {
			name := r.searchAttributes().Question
			values.set(name, cmp.Or(values.get(name), keywordText(r.state.questionText())))
		}
	}
	if r := a.shown(); r != nil {
		names := r.searchAttributes()
		values.set(names.Agent, keywordText(cmp.Or(r.state.AgentName, r.state.AgentID)))
		values.set(names.Status, keywordText(string(r.state.Status)))
	}
	a.searchAttributes.upsert(ctx, values)
}

// endSearchAttributes unsets what is no longer true when the workflow function has returned err.
// Nobody can answer a question any more, and nothing follows a run that goes on. A run that
// continues as new gets the search attributes of this one, but not its agents.
func (a *agents) endSearchAttributes(ctx workflow.Context, err error) {
	values := a.searchAttributes.unset()
	if r := a.shown(); r != nil && !workflow.IsContinueAsNewError(err) {
		names := r.searchAttributes()
		values.set(names.Agent, a.searchAttributes.get(names.Agent))
		if r.state.terminal() {
			values.set(names.Status, a.searchAttributes.get(names.Status))
		}
	}
	a.searchAttributes.upsert(ctx, values)
}

// keywords are search attributes in the order of their first use, which replays the same. An empty
// value means unset.
type keywords []keyword

type keyword struct{ name, value string }

// upsert sets and unsets, in one command, those of the workflow's search attributes whose values
// have changed, and reports whether it did.
func (k *keywords) upsert(ctx workflow.Context, values keywords) bool {
	var updates []temporal.SearchAttributeUpdate
	for _, one := range values {
		key := temporal.NewSearchAttributeKeyKeyword(one.name)
		switch one.value {
		case k.get(one.name):
		case "":
			updates = append(updates, key.ValueUnset())
		default:
			updates = append(updates, key.ValueSet(one.value))
		}
	}
	if len(updates) == 0 {
		return false
	}
	if err := workflow.UpsertTypedSearchAttributes(ctx, updates...); err != nil {
		workflow.GetLogger(ctx).Error("Could not set the search attributes", "error", err)
		return false
	}
	*k = values
	return true
}

func (k keywords) get(name string) string {
	for _, one := range k {
		if one.name == name {
			return one.value
		}
	}
	return ""
}

// set sets a value, unless the name is empty.
func (k *keywords) set(name, value string) {
	for i, one := range *k {
		if one.name == name {
			(*k)[i].value = value
			return
		}
	}
	if name != "" {
		*k = append(*k, keyword{name, value})
	}
}

// unset returns the same search attributes without values.
func (k keywords) unset() keywords {
	unset := slices.Clone(k)
	for i := range unset {
		unset[i].value = ""
	}
	return unset
}

// keywordText returns a foreign text as the value of a search attribute.
func keywordText(foreign string) string { return text.Line(foreign, budget.Keyword) }
