package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/cmd/internal/program"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// Scenarios of batches. Each row is an intent of its own.
var (
	batchSteered   = &scenario{"batch that people steer", 1, (*scene).steerBatch}
	batchReset     = &scenario{"batch and segment reset", 1, (*scene).resetBatch}
	batchAgain     = &scenario{"batch run again", 1, (*scene).runBatchAgain}
	batchCancelled = &scenario{"batch cancelled", 1, (*scene).cancelBatch}
)

// batchScene is a batch in a scene.
type batchScene struct {
	*scene
	in      workflows.BatchInput
	rows    []plannedRow
	results string // path
}

// newBatch returns a batch of the rows. The first reads of its file break half-way, where a worker
// may die.
func (s *scene) newBatch(rows []plannedRow, breaks int) *batchScene {
	b := &batchScene{scene: s, rows: rows}
	b.results = filepath.Join(s.saved, s.id, []string{"results.csv", "results.jsonl"}[s.random.IntN(2)])
	source := badSource{content: rowsFile(s.random, rows), breaks: breaks, stall: 2 * time.Second}
	template := workflows.RunAgentInput{
		AgentID: s.serveAgent(rowClerk(rows)), PollIntervalSeconds: pollInterval, Inputs: asteroid.Inputs{inputIntent: "{{" + columnKey + "}}"},
	}
	if rows[0].profile != "" {
		template.AgentProfileID = "{{" + columnProfile + "}}"
	}
	b.in = workflows.BatchInput{
		Rows:     asteroid.BatchRows{Source: &asteroid.FileRef{URI: s.control.sourceURI(s.id, source), Name: "rows.csv"}, KeyColumn: columnKey},
		Template: template, Results: asteroid.BatchResults{Destination: "file://" + b.results, Fields: []string{inputIntent}}, BatchKey: s.id + "-batch",
		MaxConcurrent: 4,
	}
	return b
}

// start starts a workflow that runs the batch.
func (b *batchScene) start(ctx context.Context, workflowID string) {
	options := b.startOptions()
	options.ID = workflowID
	b.startWorkflow(ctx, options, workflows.BatchName, b.in)
}

// awaitRows waits until so many rows have had an agent.
func (b *batchScene) awaitRows(ctx context.Context, n int) {
	ctx, done := context.WithTimeout(ctx, scenePatience)
	defer done()
	for b.started() < n && program.Sleep(ctx, 50*time.Millisecond) {
	}
}

// started returns how many rows have had an agent.
func (b *batchScene) started() (n int) {
	own := newBatchCheck(nil, nil, asteroid.RowCounts{}, b.api.Executions()).own
	for _, row := range b.rows {
		n += one(len(own[row.key]) > 0)
	}
	return n
}

// close awaits the end of the batch, checks what it has left, and returns its result and the
// outcomes of its rows.
func (b *batchScene) close(ctx context.Context, workflowID string, cancelled bool) (*workflows.BatchResult, []outcome) {
	result, closed := b.awaitBatch(ctx, workflowID)
	if !closed || result == nil {
		return nil, newBatchCheck(b.rows, nil, asteroid.RowCounts{}, b.api.Executions()).outcomesOf(workflowID, cancelled)
	}
	lines, err := readResults(b.results)
	if err != nil {
		b.findings.add(foundWrongRows, workflowID, "the results of %s: %v", workflowID, err)
	}
	check := newBatchCheck(b.rows, lines, result.Counts, b.api.Executions())
	for _, text := range check.wrong() {
		b.findings.add(foundWrongRows, workflowID, "%s: %s", workflowID, text)
	}
	for _, name := range leftOver(filepath.Dir(b.results), b.results) {
		b.findings.add(foundWrongRows, workflowID, "%s: %s is left over", workflowID, name)
	}
	if check.attempts() > 1 {
		b.tally.fire(kindRowsRunAgain)
	}
	return result, check.outcomesOf(workflowID, cancelled)
}

// awaitBatch awaits the end of a batch. The result is nil if there is none.
func (b *batchScene) awaitBatch(ctx context.Context, workflowID string) (result *workflows.BatchResult, closed bool) {
	closed = retry(ctx, func(ctx context.Context) error {
		result = &workflows.BatchResult{}
		err := b.temporal.GetWorkflow(ctx, workflowID, "").Get(ctx, result)
		failure, failed := errors.AsType[*temporal.WorkflowExecutionError](err)
		if !failed {
			return err
		}
		cancel, cancelled := errors.AsType[*temporal.CanceledError](failure)
		if !cancelled || cancel.Details(result) != nil {
			b.findings.add(foundMismatch, workflowID, "the batch %s ended without a result: %v", workflowID, failure)
			result = nil
		}
		return nil
	})
	if closed && workflowID == b.id {
		b.closedWorkflows.Add(1)
	}
	return result, closed
}

// segment waits for the batch to start its first segment, and returns its id. A batch that was
// reset to its beginning starts it again.
func (b *batchScene) segment(ctx context.Context) string {
	ctx, done := context.WithTimeout(ctx, scenePatience)
	defer done()
	for {
		for _, event := range b.history(ctx, b.id, "") {
			child := event.GetStartChildWorkflowExecutionInitiatedEventAttributes()
			if child.GetWorkflowType().GetName() == workflows.BatchSegmentName {
				return child.GetWorkflowId()
			}
		}
		if !program.Sleep(ctx, 100*time.Millisecond) {
			return ""
		}
	}
}

// People pause a batch, let more rows run at once, resume it, and have the failed rows run again. A
// worker dies while it writes results, which it has to read from the service.
func (s *scene) steerBatch(ctx context.Context) []outcome {
	b := s.newBatch(planRows(s, 10, 2), 0)
	b.in.Results.WholeResult = true
	b.start(ctx, s.id)
	b.awaitRows(ctx, 3)
	s.update(ctx, workflows.PauseBatchUpdate, nil, nil)
	b.awaitPause(ctx)
	program.Sleep(ctx, 2*time.Second)
	if s.update(ctx, workflows.SetConcurrencyUpdate, workflows.SetConcurrencyInput{MaxConcurrent: 8}, nil) == accepted {
		s.tally.fire(kindBatchPace)
	}
	s.update(ctx, workflows.RerunFailedUpdate, nil, nil)
	s.update(ctx, workflows.ResumeBatchUpdate, nil, nil)
	var killing sync.WaitGroup
	killing.Go(func() { b.killWriter(ctx) })
	_, outcomes := b.close(ctx, s.id, false)
	killing.Wait()
	b.checkPauses(ctx)
	return outcomes
}

// awaitPause waits until the batch's first segment knows of a pause.
func (b *batchScene) awaitPause(ctx context.Context) {
	ctx, done := context.WithTimeout(ctx, scenePatience)
	defer done()
	segment := b.segment(ctx)
	for segment != "" && !pausesIn(b.history(ctx, segment, "")).held && program.Sleep(ctx, 100*time.Millisecond) {
	}
}

// checkPauses finds rows that the batch's first segment has started while it was paused.
func (b *batchScene) checkPauses(ctx context.Context) {
	segment := b.segment(ctx)
	if segment == "" {
		return
	}
	pauses := pausesIn(b.history(ctx, segment, ""))
	if pauses.during > 0 {
		b.findings.add(foundMismatch, b.id, "%d rows of %s started while it was paused", pauses.during, b.id)
	}
	if pauses.held && pauses.after > 0 {
		b.tally.fire(kindBatchPaused)
	}
}

// pauses says how many rows a segment has started during a pause and after one. held says that
// there was one, since a command holds from the first workflow task on that begins after it has
// arrived.
type pauses struct {
	held          bool
	during, after int
}

func pausesIn(events []*historypb.HistoryEvent) (p pauses) {
	commanded, holds := false, false
	for _, event := range events {
		signal := event.GetWorkflowExecutionSignaledEventAttributes()
		switch {
		case signal.GetSignalName() == segmentCommandSignal:
			var command struct{ Paused bool }
			_ = converter.GetDefaultDataConverter().FromPayloads(signal.GetInput(), &command) // else it pauses nothing
			commanded = command.Paused
		case event.GetWorkflowTaskStartedEventAttributes() != nil:
			holds = commanded
			p.held = p.held || holds
		case event.GetStartChildWorkflowExecutionInitiatedEventAttributes() == nil:
		case holds:
			p.during++
		case p.held:
			p.after++
		}
	}
	return p
}

// segmentCommandSignal is the signal by which a batch tells a segment what to do.
const segmentCommandSignal = "asteroid.batchSegmentCommand"

// killWriter kills the worker that writes the results of the batch's first segment: a read of an
// agent whose row has ended is slow.
func (b *batchScene) killWriter(ctx context.Context) {
	segment := b.segment(ctx)
	b.awaitRows(ctx, len(b.rows))
	b.stallReads(ctx)
	for range 3 {
		if b.killIn(ctx, segment, asteroid.WriteBatchPartName) {
			return
		}
	}
}

// stallReads makes the next reads of the agent of the first row slow. Its row has ended by now.
func (b *batchScene) stallReads(ctx context.Context) {
	if e, ok := b.awaitExecution(ctx, b.rows[0].key, func(e testsuite.Execution) bool { return terminal(e.Status) }); ok {
		b.api.InjectAbout(e.ID, readOperation, testsuite.Stall(stallTime), 2)
	}
}

// The batch is reset, and then a segment of it, while rows are at work. A worker dies while it
// reads the rows. Each profile serves one row at a time.
func (s *scene) resetBatch(ctx context.Context) []outcome {
	profiles := []string{s.api.AddProfile(s.id + "/1"), s.api.AddProfile(s.id + "/2"), s.api.AddProfile(s.id + "/3")}
	b := s.newBatch(planRows(s, 9, 2, profiles...), 1)
	for _, profileID := range profiles {
		s.limits.add(limitRule{workflowID: s.id, profileID: profileID, most: 1})
	}
	b.in.MaxConcurrent, b.in.Failures.Reruns = 5, 1
	b.start(ctx, s.id)
	s.killIn(ctx, s.id, asteroid.PlanBatchName)
	b.awaitRows(ctx, 3)
	if s.reset(ctx, s.id, "", []int{0, -1}[s.random.IntN(2)]) != "" && b.started() < len(b.rows) {
		s.tally.fire(kindBatchReset)
	}
	b.awaitRows(ctx, 5)
	if segment := b.segment(ctx); segment != "" && s.reset(ctx, segment, "", []int{0, -1}[s.random.IntN(2)]) != "" && b.started() < len(b.rows) {
		s.tally.fire(kindSegmentReset)
	}
	_, outcomes := b.close(ctx, s.id, false)
	return outcomes
}

// The batch runs again under its key, and only the rows that have failed may.
func (s *scene) runBatchAgain(ctx context.Context) []outcome {
	b := s.newBatch(planRows(s, 7, 2), 0)
	b.start(ctx, s.id)
	first, outcomes := b.close(ctx, s.id, false)
	if first == nil {
		return outcomes
	}
	again := s.id + "-again"
	b.start(ctx, again)
	second, outcomes := b.close(ctx, again, false)
	if second == nil {
		return outcomes
	}
	if second.AlreadySucceeded != first.Counts.Succeeded {
		s.findings.add(foundMismatch, again, "%s says that %d rows had succeeded, and %s says %d", again, second.AlreadySucceeded, s.id, first.Counts.Succeeded)
	}
	if first.Counts.Failed > 0 && second.Counts.Succeeded == len(b.rows) {
		s.tally.fire(kindBatchAgain)
	}
	return outcomes
}

// The batch is cancelled, by its update or as a workflow, while some of its rows are at work.
func (s *scene) cancelBatch(ctx context.Context) []outcome {
	const short = 2
	rows := planRows(s, 9, 0)
	for i := range rows[short:] {
		rows[short+i].work = time.Minute
	}
	b := s.newBatch(rows, 0)
	b.start(ctx, s.id)
	b.awaitRows(ctx, short+2)
	if s.random.IntN(2) == 0 {
		s.requestCancel(ctx, s.id)
	} else {
		s.update(ctx, workflows.CancelBatchUpdate, nil, nil)
	}
	result, outcomes := b.close(ctx, s.id, true)
	if result != nil && result.Counts.Cancelled > 0 && result.Counts.NotRun > 0 {
		s.tally.fire(kindBatchCancelled)
	}
	return outcomes
}

// runRows runs the batch of --rows. Some of its rows fail, and run again at the end.
func (w *workload) runRows(ctx context.Context) []outcome {
	s := &scene{workload: w, id: fmt.Sprintf("chaos-%d-rows", w.plan.seed), random: random(w.plan.seed, "rows")}
	b := s.newBatch(planRows(s, w.rows, w.rows/100), 1)
	b.in.MaxConcurrent, b.in.Failures.Reruns = w.concurrency, 1
	b.start(ctx, s.id)
	whileOpen, closed := context.WithCancel(ctx)
	var counting sync.WaitGroup
	counting.Go(func() {
		for program.Sleep(whileOpen, 5*time.Second) {
			w.startedRows.Store(int64(b.started()))
		}
	})
	_, outcomes := b.close(ctx, s.id, false)
	closed()
	counting.Wait()
	return outcomes
}
