package testsuite

import (
	"container/heap"
	"time"
)

// timeline holds the next time at which each execution changes by itself, soonest first.
type timeline struct{ events eventHeap }

type event struct {
	at        time.Time
	seq       int
	execution *execution // nil once cancelled
}

// add schedules a wake of e.
func (t *timeline) add(at time.Time, e *execution) *event {
	ev := &event{at: at, seq: e.seq, execution: e}
	heap.Push(&t.events, ev)
	return ev
}

// next removes and returns the soonest event that is due by now.
func (t *timeline) next(now time.Time) (*execution, time.Time, bool) {
	for len(t.events) > 0 && !t.events[0].at.After(now) {
		ev := heap.Pop(&t.events).(*event)
		if ev.execution != nil {
			return ev.execution, ev.at, true
		}
	}
	return nil, time.Time{}, false
}

// soonest returns when the next event is due; ok is false if there is none.
func (t *timeline) soonest() (at time.Time, ok bool) {
	for len(t.events) > 0 && t.events[0].execution == nil {
		heap.Pop(&t.events)
	}
	if len(t.events) == 0 {
		return time.Time{}, false
	}
	return t.events[0].at, true
}

// eventHeap orders events by time, and those of the same time by the age of their executions.
type eventHeap []*event

func (h eventHeap) Len() int      { return len(h) }
func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h eventHeap) Less(i, j int) bool {
	if h[i].at.Equal(h[j].at) {
		return h[i].seq < h[j].seq
	}
	return h[i].at.Before(h[j].at)
}
func (h *eventHeap) Push(x any) { *h = append(*h, x.(*event)) }
func (h *eventHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return last
}
