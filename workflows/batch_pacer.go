package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"
)

// pacer spaces what a segment does again and again, so that it writes few events however long its
// rows take: the first times an interval apart, and then an eighth of the time since the beginning.
type pacer struct {
	interval time.Duration
	evenly   int // how many times it keeps to the interval
	began    time.Time
	last     time.Time
	next     time.Time // set with last, since a time that moved on would wake the segment again and again
	count    int
	waking   bool // a timer is pending
}

func newPacer(ctx workflow.Context, interval time.Duration, evenly int) *pacer {
	now := workflow.Now(ctx)
	return &pacer{interval: interval, evenly: evenly, began: now, last: now, next: now.Add(interval)}
}

// due returns how long it is until the next time; 0 is now.
func (p *pacer) due(ctx workflow.Context) time.Duration { return max(0, p.next.Sub(workflow.Now(ctx))) }

// done says that it has been done now. A frugal pacer takes longer until the next time.
func (p *pacer) done(ctx workflow.Context, frugal bool) {
	wait := p.interval
	if frugal {
		wait *= 30
	}
	p.last, p.count = workflow.Now(ctx), p.count+1
	if p.count >= p.evenly {
		wait = max(wait, p.last.Sub(p.began)/8)
	}
	p.next = p.last.Add(wait)
}

// wake calls wake when the time has come. One timer is pending at most.
func (p *pacer) wake(ctx workflow.Context, in time.Duration, wake func()) {
	if p.waking {
		return
	}
	p.waking = true
	workflow.Go(ctx, func(ctx workflow.Context) {
		_ = workflow.Sleep(ctx, in) // the segment looks again in any case
		p.waking = false
		wake()
	})
}
