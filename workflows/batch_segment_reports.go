package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/bound"
)

// frugal reports whether the segment's history is longer than its rows can account for, so that it
// has to report less often.
func (s *segment) frugal(ctx workflow.Context) bool {
	const most, eventsOfRow = 4200, 9
	return workflow.GetInfo(ctx).GetCurrentHistoryLength()+eventsOfRow*(len(s.rows)+s.report.AtWork) > most
}

// tellProgress sends a report when one is due, and returns the slots that no row is left for. Else
// it sees to it that one will be sent.
func (s *segment) tellProgress(ctx workflow.Context) {
	frugal, surplus := s.frugal(ctx), 0
	if s.report.Tail {
		surplus = max(0, s.free())
		if !s.told.Tail {
			held := s.report.Slots - s.report.Released
			s.tailThreshold = max(1, min(10, held/4), held/10)
		}
	}
	ended := s.report.ended() - s.told.ended()
	changed := ended > 0 || s.report.AtWork != s.told.AtWork || s.report.Slots != s.told.Slots
	reportIn, returnIn := s.progress.due(ctx), s.returns.due(ctx)
	failures := s.in.Failures
	switch urgent := s.report.Failed > s.told.Failed && (failures.StopAfter > 0 || failures.StopShare > 0); {
	case s.report.Tail && !s.told.Tail, s.report.Held != s.told.Held, urgent,
		surplus > 0 && (surplus >= s.tailThreshold || returnIn == 0),
		changed && reportIn == 0,
		// A long segment tells each hundredth, too.
		!frugal && ended > 0 && ended >= s.total/100 && workflow.Now(ctx).Sub(s.progress.last) >= s.progress.interval:
		s.report.Released += surplus
		if surplus > 0 {
			s.returns.done(ctx, frugal)
		}
		s.send(ctx)
		return
	}
	if surplus > 0 {
		s.returns.wake(ctx, returnIn, s.wake)
	}
	if changed {
		s.progress.wake(ctx, reportIn, s.wake)
	}
}

// wake has the loop look again.
func (s *segment) wake() { s.changed = true }

// send sends a report. The batch may be over, so its outcome does not matter.
func (s *segment) send(ctx workflow.Context) workflow.Future {
	s.report.At = later(ctx, s.report.At)
	s.told = s.report
	s.progress.done(ctx, s.frugal(ctx))
	return workflow.SignalExternalWorkflow(ctx, s.in.Batch, "", segmentReportSignal, s.report)
}

const (
	partRows = 100       // results that are written at once when there are so many
	partSize = 192 << 10 // of the results in one call
)

// writeParts writes the results that are new, when they are many or have waited for long.
func (s *segment) writeParts(ctx workflow.Context) {
	if s.writing || len(s.unwritten) == 0 {
		return
	}
	wait := s.parts.due(ctx)
	if len(s.unwritten) < partRows && wait > 0 || s.writeErr != nil && wait > 0 {
		s.parts.wake(ctx, wait, s.wake)
		return
	}
	s.writing = true
	workflow.Go(ctx, func(ctx workflow.Context) {
		s.writePart(ctx)
		s.writing, s.changed = false, true
	})
}

// writePart writes as many of the results as one call takes. Those of a call that failed stay.
func (s *segment) writePart(ctx workflow.Context) {
	count, size := 0, 0
	for _, result := range s.unwritten {
		if size += bound.Size(result) + 1; count > 0 && size > partSize {
			break
		}
		count++
	}
	s.parts.done(ctx, s.frugal(ctx))
	rows := s.unwritten[:count:count]
	s.writeErr = writeBatchPart(ctx, asteroid.WriteBatchPartInput{BatchPlan: s.in.BatchPlan, Pass: s.in.Pass, Segment: s.in.Segment, Rows: rows})
	if s.writeErr != nil {
		workflow.GetLogger(ctx).Error("Could not write results of the batch; they are written with the next ones", "segment", s.in.Segment, "error", s.writeErr)
		return
	}
	s.unwritten = s.unwritten[count:]
}
