package workflows

import (
	"slices"

	"go.temporal.io/sdk/workflow"
)

// listen receives signals and the workflow's cancellation, and follows the segments that an earlier
// run has started. runCtx is never cancelled.
func (b *batch) listen(ctx, runCtx workflow.Context) {
	cancelled := ctx.Done()
	workflow.Go(runCtx, func(ctx workflow.Context) {
		cancelled.Receive(ctx, nil)
		b.WorkflowCancelled = true
		b.cancel("the workflow was cancelled")
	})
	workflow.Go(runCtx, func(ctx workflow.Context) {
		receiveEach(ctx, workflow.GetSignalChannel(ctx, segmentReportSignal), b.takeReport)
	})
	workflow.Go(runCtx, func(ctx workflow.Context) {
		receiveEach(ctx, workflow.GetSignalChannel(ctx, rowWaitSignal), b.takeWait)
	})
	for _, s := range b.Open {
		b.followSegment(runCtx, s)
	}
}

// cancel starts no more rows and cancels those under way.
func (b *batch) cancel(why string) {
	b.Cancelled, b.Stopped, b.changed = true, why, true
}

// takeReport takes how far a segment has come. Its last report ends it.
func (b *batch) takeReport(report segmentReport) {
	s := b.find(report.Pass, report.Segment)
	if s == nil || report.Mark != b.Mark || report.At <= s.Report.At {
		return
	}
	if report.Slots != s.Slots && report.Slots != s.Report.Slots && s.Sent.At < report.At {
		s.Sent.Slots = report.Slots // it has a command of a run that a reset has replaced
	}
	s.Report, b.changed = report, true
	if report.Done {
		b.closeSegment(s)
	}
}

// takeWait notes for whom a row waits.
func (b *batch) takeWait(wait rowWait) {
	if b.find(wait.Pass, wait.Segment) == nil {
		return
	}
	i := slices.IndexFunc(b.Waits, func(w rowWait) bool { return w.Number == wait.Number })
	if i < 0 {
		b.Waits = append(b.Waits, wait)
	} else if wait.At > b.Waits[i].At {
		b.Waits[i] = wait
	}
	b.changed = true
}

// long reports whether the run continues as new.
func (b *batch) long(ctx workflow.Context) bool {
	const most = 3000
	info := workflow.GetInfo(ctx)
	return info.GetCurrentHistoryLength() >= most || info.GetContinueAsNewSuggested()
}

// continueAsNew hands all that the run knows to the next one. It gives no commands any more, waits
// until the server has taken those before, which the end of the run would lose, and takes every
// signal that has come.
func (b *batch) continueAsNew(ctx workflow.Context) error {
	b.draining = true
	runCtx, _ := workflow.NewDisconnectedContext(ctx)
	err := workflow.Await(runCtx, func() bool { return b.starting == 0 && b.sending == 0 && workflow.AllHandlersFinished(runCtx) })
	if err != nil {
		return err
	}
	takeAll(workflow.GetSignalChannel(ctx, segmentReportSignal), b.takeReport)
	takeAll(workflow.GetSignalChannel(ctx, rowWaitSignal), b.takeWait)
	b.Waits = slices.DeleteFunc(b.Waits, func(w rowWait) bool { return w.Phase == "" })
	in := b.in
	in.Internal.Progress = &b.batchProgress
	return workflow.NewContinueAsNewError(ctx, BatchName, in)
}
