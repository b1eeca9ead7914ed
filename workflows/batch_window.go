package workflows

import (
	"errors"
	"fmt"
	"slices"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/budget"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// distribute gives the free slots to the segments, and tells each what is new to it. It starts a
// segment when the others have no use for more slots.
func (b *batch) distribute(ctx workflow.Context) {
	free := b.MaxConcurrent
	for _, s := range b.Open {
		free -= s.held()
	}
	for _, s := range slices.Backward(b.Open) {
		if free < 0 { // MaxConcurrent was reduced
			taken := min(-free, s.held())
			s.Slots, free = s.Slots-taken, free+taken
		}
	}
	if !b.Paused && b.Stopped == "" {
		for _, s := range b.Open {
			if given := min(free, s.wants()); given > 0 {
				s.Slots, free = s.Slots+given, free-given
			}
		}
		for b.startsNext(free) {
			given := min(free, maxSegmentRows)
			b.open(ctx, b.Next, given)
			b.Next, free = b.Next+1, free-given
		}
	}
	for _, s := range b.Open {
		b.command(ctx, s)
	}
}

// wants returns how many more slots the segment may have use for.
func (s *openSegment) wants() int {
	if s.Report.Tail {
		return 0
	}
	return max(0, maxSegmentRows-s.Slots)
}

// startsNext reports whether the next segment starts. It reads its rows while the one before ends,
// so it may start without slots.
func (b *batch) startsNext(free int) bool {
	if b.Next > b.Segments || free < 0 {
		return false
	}
	for _, s := range b.Open {
		if s.wants() > 0 {
			return false
		}
	}
	return free > 0 || len(b.Open) > 0 && b.Open[len(b.Open)-1].Report.Tail
}

// commandFor returns the command for a segment, as of now.
func (b *batch) commandFor(s *openSegment) segmentCommand {
	others := b.ofPass()
	return segmentCommand{
		Slots: s.Slots, Paused: b.Paused, Stop: b.Stopped != "", Cancel: b.Cancelled,
		Ended: others.ended() - s.Report.ended(), Failed: others.Failed - s.Report.Failed,
	}
}

// command sends a segment its command if that differs from the latest, or if the segment shows that
// it does not know that.
func (b *batch) command(ctx workflow.Context, s *openSegment) {
	command, sent := b.commandFor(s), s.Sent
	same := command.Slots == sent.Slots && command.Paused == sent.Paused && command.Stop == sent.Stop && command.Cancel == sent.Cancel
	if same && !s.Report.Held || s.unconfirmed || b.draining {
		return
	}
	s.Report.Held = false // answered
	command.At = later(ctx, sent.At)
	s.Sent = command
	b.sending++
	workflow.Go(ctx, func(ctx workflow.Context) {
		_ = workflow.SignalExternalWorkflow(ctx, b.segmentID(s), "", segmentCommandSignal, command).Get(ctx, nil) // it may have ended
		b.sending--
	})
}

func (b *batch) segmentID(s *openSegment) string {
	return segmentID(b.id, b.Mark, b.Pass, s.Number)
}

// open starts a segment.
func (b *batch) open(ctx workflow.Context, number, slots int) {
	s := &openSegment{Number: number, Slots: slots}
	b.Open = append(b.Open, s)
	b.startSegment(ctx, s)
}

// startSegment starts a segment and waits for it in a coroutine of its own.
func (b *batch) startSegment(ctx workflow.Context, s *openSegment) {
	s.Starts++
	s.Sent = b.commandFor(s)
	s.Sent.At = later(ctx, s.Sent.At)
	in := segmentInput{
		BatchPlan: b.plan, Batch: b.id, Mark: b.Mark, Pass: b.Pass, Segment: s.Number, Template: b.template, InputColumns: b.in.InputColumns,
		Failures: b.in.Failures, StartedAt: b.StartedAt, Command: s.Sent,
	}
	reuse := enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY // else its report is taken
	if s.Starts > 1 {
		reuse = enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
	}
	s.unconfirmed = true
	b.starting++
	workflow.Go(ctx, func(ctx workflow.Context) {
		child := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
			WorkflowID: b.segmentID(s), ParentClosePolicy: enums.PARENT_CLOSE_POLICY_ABANDON,
			WorkflowIDReusePolicy: reuse,
			StaticSummary:         fmt.Sprintf("Segment %d of pass %d", s.Number, b.Pass),
		}), BatchSegmentName, in)
		err := child.GetChildWorkflowExecution().Get(ctx, nil)
		b.starting--
		s.unconfirmed, b.changed = false, true
		if temporal.IsWorkflowExecutionAlreadyStartedError(err) { // after a reset
			s.Sent = segmentCommand{At: s.Sent.At, Slots: -1} // it has another one
			b.follow(ctx, s)
			return
		}
		var report segmentReport
		if err == nil {
			err = child.Get(ctx, &report)
		}
		b.endSegment(ctx, s, report, err)
	})
}

// followSegment waits for a segment that an earlier run has started.
func (b *batch) followSegment(ctx workflow.Context, s *openSegment) {
	workflow.Go(ctx, func(ctx workflow.Context) { b.follow(ctx, s) })
}

// follow waits for a segment that is no child of this run, until it has ended or has told so.
func (b *batch) follow(ctx workflow.Context, s *openSegment) {
	if s.ended {
		return
	}
	ctx, s.unfollow = workflow.WithCancel(ctx)
	followed, err := followWorkflow(ctx, asteroid.FollowWorkflowInput{WorkflowID: b.segmentID(s)})
	var report segmentReport
	switch {
	case err != nil:
	case followed.Status == "completed" && decode(followed.Result, &report) == nil:
	case followed.Status == "failed":
		err = temporal.NewApplicationError(followed.Error, followed.ErrorType)
	default:
		err = errSegmentLost
	}
	b.endSegment(ctx, s, report, err)
}

// errSegmentLost is the error of a segment that was ended from outside.
var errSegmentLost = errors.New("it was terminated")

// endSegment closes a segment. One that was ended from outside starts again: its rows adopt what
// their agents have done.
func (b *batch) endSegment(ctx workflow.Context, s *openSegment, report segmentReport, err error) {
	if s.ended { // its last report came first
		return
	}
	_, terminated := errors.AsType[*temporal.TerminatedError](err)
	_, timedOut := errors.AsType[*temporal.TimeoutError](err)
	lost := terminated || timedOut || errors.Is(err, errSegmentLost)
	const mostStarts = 3
	if lost && s.Starts < mostStarts && b.Stopped == "" {
		s.Report, s.Slots = segmentReport{}, 0
		b.startSegment(ctx, s)
		b.changed = true
		return
	}
	if err == nil {
		s.Report = report
	} else if b.Stopped == "" {
		b.Stopped = text.Prose(fmt.Sprintf("segment %d of pass %d has failed: %s", s.Number, b.Pass, errorText(err)), budget.ErrorMessage)
	}
	b.closeSegment(s)
}

// closeSegment takes the counts of a segment that has ended.
func (b *batch) closeSegment(s *openSegment) {
	s.ended = true
	b.Closed = b.Closed.plus(s.Report.segmentCounts)
	b.Open = slices.DeleteFunc(b.Open, func(other *openSegment) bool { return other == s })
	b.Waits = slices.DeleteFunc(b.Waits, func(w rowWait) bool { return w.Pass == b.Pass && w.Segment == s.Number })
	b.changed = true
	if s.unfollow != nil {
		s.unfollow()
	}
}
