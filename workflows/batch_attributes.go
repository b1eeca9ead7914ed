package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"
)

// batchAttributes are the search attributes that a run of a batch has set.
type batchAttributes struct {
	shown  keywords
	next   time.Time // the progress may change again
	waking bool      // a timer is pending
}

// updateSearchAttributes shows the batch in the search attributes that its plan found in the
// namespace. History holds them, so another option of the worker changes no open run. A new phase
// is shown at once, and progress at intervals, since each change is an event of the history.
func (b *batch) updateSearchAttributes(ctx workflow.Context, state BatchState) {
	names, attributes := b.SearchAttributes, &b.attributes
	if names == nil {
		return
	}
	state.AtWork = 0 // it changes with each row
	values := keywords{}
	values.set(names.Agent, keywordText(b.in.Template.AgentID))
	values.set(names.Status, state.Phase)
	values.set(names.Progress, keywordText(state.Progress()))
	now := workflow.Now(ctx)
	wait, changed := attributes.next.Sub(now), attributes.shown.get(names.Progress) != values.get(names.Progress)
	if attributes.shown.get(names.Status) == values.get(names.Status) && changed && wait > 0 {
		b.wakeForAttributes(ctx, wait)
		return
	}
	if attributes.shown.upsert(ctx, values) {
		attributes.next = now.Add(attributesInterval(now.Sub(b.StartedAt)))
	}
}

// attributesInterval returns the time between two changes of the progress: seconds in a short
// batch, a minute in one that takes hours.
func attributesInterval(age time.Duration) time.Duration {
	const shortest, longest, part = 5 * time.Second, time.Minute, 20
	return min(max(shortest, age/part), longest)
}

// wakeForAttributes has the batch look again: nothing else may happen until a person acts.
func (b *batch) wakeForAttributes(ctx workflow.Context, in time.Duration) {
	if b.attributes.waking {
		return
	}
	b.attributes.waking = true
	workflow.Go(ctx, func(ctx workflow.Context) {
		_ = workflow.Sleep(ctx, in) // the batch looks again in any case
		b.attributes.waking, b.changed = false, true
	})
}
