package workflows

import (
	"encoding/json"
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
)

// maxSegmentRows is the number of rows that a segment has at most.
const maxSegmentRows = 300

// segmentInput is the input of the workflow asteroid.BatchSegment.
type segmentInput struct {
	asteroid.BatchPlan
	// Batch is the id of the workflow that is told how far the segment has come.
	Batch string `json:"batch"`
	// Mark is that of the plan, which the reports repeat.
	Mark         string          `json:"mark"`
	Pass         int             `json:"pass"`
	Segment      int             `json:"segment"`
	Template     json.RawMessage `json:"template"`
	InputColumns []string        `json:"inputColumns,omitempty"`
	Failures     FailuresOfBatch `json:"failures,omitzero"`
	StartedAt    time.Time       `json:"startedAt"` // of the batch
	Command      segmentCommand  `json:"command"`
}

// segment runs some hundred rows of a batch, as many at once as it has slots. Its rows are attached
// children: the server tells of each how it ended, also if somebody has terminated it. Its history
// has nine events a row, and its reports and the parts of the results keep to a pace that leaves
// the whole below 5,000.
type segment struct {
	in      segmentInput
	command segmentCommand
	rows    []asteroid.BatchRow // in order, those that have not started
	total   int
	limits  rowLimits
	report  segmentReport
	changed bool // the loop has something to look at

	cancelRows workflow.CancelFunc
	cancelled  bool

	progress, returns, parts *pacer
	told                     segmentReport // the latest report
	tailThreshold            int           // unused slots that are returned at once

	unwritten []asteroid.RowResult
	writing   bool
	writeErr  error // of the latest part
}

// batchSegment is the workflow asteroid.BatchSegment.
func batchSegment(ctx workflow.Context, in segmentInput) (*segmentReport, error) {
	s := &segment{in: in, command: in.Command, report: segmentReport{Mark: in.Mark, Pass: in.Pass, Segment: in.Segment, Slots: in.Command.Slots}}
	cancelled := ctx.Done()
	ctx, _ = workflow.NewDisconnectedContext(ctx) // rows that end must be written
	workflow.Go(ctx, func(ctx workflow.Context) {
		cancelled.Receive(ctx, nil)
		s.command.Cancel, s.changed = true, true
	})
	announceRows(ctx)
	workflow.Go(ctx, s.receiveCommands)
	if err := s.read(ctx); err != nil {
		return nil, err
	}
	s.progress, s.returns, s.parts = newPacer(ctx, 10*time.Second, 20), newPacer(ctx, 10*time.Second, 30), newPacer(ctx, 5*time.Minute, 20)
	s.progress.next = workflow.Now(ctx).Add(time.Second) // people see early that rows are at work
	rowsCtx, cancelRows := workflow.WithCancel(ctx)
	s.cancelRows = cancelRows
	for !s.over() {
		s.changed = false
		s.obey()
		s.startRows(rowsCtx)
		s.writeParts(ctx)
		s.tellProgress(ctx)
		s.show(ctx)
		_ = workflow.Await(ctx, func() bool { return s.changed || s.over() }) // nothing cancels this context
	}
	return s.finish(ctx)
}

// over reports whether no row is under way or will start.
func (s *segment) over() bool {
	return s.report.AtWork == 0 && (len(s.rows) == 0 || s.command.Stop || s.command.Cancel)
}

// read reads the segment's rows.
func (s *segment) read(ctx workflow.Context) error {
	read, err := readBatchRows(ctx, asteroid.ReadBatchRowsInput{
		BatchPlan: s.in.BatchPlan, Pass: s.in.Pass, Segment: s.in.Segment, Template: s.in.Template, InputColumns: s.in.InputColumns,
	})
	if err != nil {
		return err
	}
	s.rows, s.total, s.limits = read.Rows, len(read.Rows), rowLimits{}
	return nil
}

// receiveCommands takes the commands of the batch.
func (s *segment) receiveCommands(ctx workflow.Context) {
	commands := workflow.GetSignalChannel(ctx, segmentCommandSignal)
	for {
		var command segmentCommand
		commands.Receive(ctx, &command)
		if command.At > s.command.At {
			command.Cancel = command.Cancel || s.command.Cancel
			s.command, s.changed = command, true
		}
	}
}

// obey does what the latest command says.
func (s *segment) obey() {
	s.report.Slots = s.command.Slots
	if s.command.Cancel && !s.cancelled {
		s.cancelled = true
		s.cancelRows()
	}
}

// free returns how many rows more may be under way. It is negative when the batch wants slots back
// that rows still have.
func (s *segment) free() int { return s.report.Slots - s.report.Released - s.report.AtWork }

// mayStart reports whether rows may start at all. Too many failures hold them until the batch has
// decided, which may know of more rows that succeeded.
func (s *segment) mayStart() bool {
	counts := s.report.segmentCounts
	s.report.Held = s.in.Failures.stop(s.command.Ended+counts.ended(), s.command.Failed+counts.Failed) != ""
	return !s.command.Paused && !s.command.Stop && !s.command.Cancel && !s.report.Held
}

// startRows starts rows in their order while there are slots. It passes over those whose limits
// other rows of the segment exhaust, so that they do not occupy slots.
func (s *segment) startRows(ctx workflow.Context) {
	next := s.nextRow()
	for ; s.mayStart() && next >= 0 && s.free() > 0; next = s.nextRow() {
		row := s.rows[next]
		s.rows = append(s.rows[:next:next], s.rows[next+1:]...)
		s.limits.take(row.Limits)
		s.report.AtWork++
		workflow.Go(ctx, func(ctx workflow.Context) {
			result := s.runRow(ctx, row)
			measureRow(ctx, result)
			s.endRow(result)
			s.limits.giveBack(row.Limits)
		})
	}
	s.report.Tail = next < 0
}

// nextRow returns the position of the next row that may start, or -1.
func (s *segment) nextRow() int {
	for i, row := range s.rows {
		if s.limits.free(row.Limits) {
			return i
		}
	}
	return -1
}

// endRow takes the result of a row.
func (s *segment) endRow(result asteroid.RowResult) {
	s.report.AtWork--
	s.report.add(result.Status)
	s.unwritten = append(s.unwritten, result)
	s.changed = true
}

// finish writes what is left, and tells the batch.
func (s *segment) finish(ctx workflow.Context) (*segmentReport, error) {
	_ = workflow.Await(ctx, func() bool { return !s.writing }) // nothing cancels this context
	for len(s.unwritten) > 0 {
		s.writePart(ctx)
		if s.writeErr != nil {
			return nil, s.writeErr
		}
	}
	s.report.Done, s.report.Tail = true, true
	_ = s.send(ctx).Get(ctx, nil) // the batch may be over
	s.show(ctx)
	return &s.report, nil
}

// show shows the segment's counts in the current details.
func (s *segment) show(ctx workflow.Context) {
	r := s.report
	state := BatchState{Rows: s.total, Succeeded: r.Succeeded, Failed: r.Failed, Cancelled: r.Cancelled, AtWork: r.AtWork}
	workflow.SetCurrentDetails(ctx, fmt.Sprintf("**Segment %d** of pass %d of the batch in workflow %s\n\n`%s` %s\n\n"+
		"It may have %d rows at work. Each is a child workflow. Steer the batch, not the segment.",
		s.in.Segment, s.in.Pass, inlineCode(s.in.Batch), state.Bar(barWidth), state.Progress(), r.Slots-r.Released))
}
