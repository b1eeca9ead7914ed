package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/cmd/internal/program"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// batchReport is the result of bench batch. Programs parse its members, so they do not change.
type batchReport struct {
	Rows              int     `json:"rows"`
	RowsPerSecond     float64 `json:"rowsPerSecond"`
	BareRowsPerSecond float64 `json:"bareRowsPerSecond"`
	Ratio             float64 `json:"ratio"`
	// EventsPerRow are those of the batch and its segments, without the rows' own workflows.
	EventsPerRow     float64 `json:"eventsPerRow"`
	WorkerMiB        float64 `json:"workerMiB"`
	MaxHistoryEvents int64   `json:"maxHistoryEvents"`
}

const (
	// bareRowsPerRun is how many rows a run of the hand-written way has, which keeps its history
	// below the server's limit.
	bareRowsPerRun = 2000
	maxBatchRows   = 100_000
)

// batchSettings are the flags of bench batch.
type batchSettings struct {
	rows, rounds, concurrency int
	json                      bool
}

// batch measures how many rows a second asteroid.Batch runs, next to bare children under a window.
func batch(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var s batchSettings
	flags := flag.NewFlagSet("bench batch", flag.ContinueOnError)
	flags.IntVar(&s.rows, "rows", 10_000, "run so `many` rows each way and round")
	flags.IntVar(&s.rounds, "rounds", 3, "alternate so `many` rounds of both ways, and report the medians")
	flags.IntVar(&s.concurrency, "concurrency", 50, "have so `many` rows under way at once")
	flags.BoolVar(&s.json, "json", false, "print one JSON object at the end; progress goes to the standard error output")
	if err := program.ParseFlags(flags, args, stderr, "Run rows through asteroid.Batch and as bare child workflows under a hand-written window, and compare."); err != nil {
		return err
	}
	switch {
	case s.rows < 1 || s.rows > maxBatchRows:
		return program.UsageErrorf("--rows %d: give a number from 1 to %d", s.rows, maxBatchRows)
	case s.rounds < 1:
		return program.UsageErrorf("--rounds %d: give at least 1", s.rounds)
	case s.concurrency < 1 || s.concurrency > 1000:
		return program.UsageErrorf("--concurrency %d: give a number from 1 to 1000", s.concurrency)
	}
	report, err := measureBatch(ctx, s, stderr)
	if err != nil {
		return err
	}
	if s.json {
		return json.NewEncoder(stdout).Encode(report)
	}
	_, _ = fmt.Fprintf(stdout, "%d rows: %.1f a second through Batch, %.1f as bare children, %.2f times the rate.\n"+
		"Batch and its segments had %.1f events a row, at most %d in one run. The worker had at most %.0f MiB.\n",
		report.Rows, report.RowsPerSecond, report.BareRowsPerSecond, report.Ratio, report.EventsPerRow, report.MaxHistoryEvents, report.WorkerMiB)
	return nil
}

func measureBatch(ctx context.Context, s batchSettings, stderr io.Writer) (report batchReport, err error) {
	dir, err := os.MkdirTemp("", "asteroid-bench-")
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	var ours, bare []float64
	for round := range s.rounds {
		bench, err := newWorkbench(ctx, filepath.Join(dir, fmt.Sprint(round)), bareRows)
		if err != nil {
			return report, err
		}
		m := &batchMeasurement{bench, s}
		rate, bareRate, err := m.run(ctx, &report)
		m.stop()
		if err != nil {
			return report, err
		}
		ours, bare = append(ours, rate), append(bare, bareRate)
		_, _ = fmt.Fprintf(stderr, "round %d: %.1f rows a second through Batch, %.1f as bare children\n", round+1, rate, bareRate)
	}
	report.Rows = s.rows
	report.RowsPerSecond, report.BareRowsPerSecond = rounded(median(ours), 1), rounded(median(bare), 1)
	report.Ratio = rounded(ratio(median(ours), median(bare)), 2)
	report.WorkerMiB = rounded(float64(peakMemory())/mib, 1)
	return report, nil
}

// batchMeasurement is a round: fresh servers, and a worker in this process.
type batchMeasurement struct {
	*workbench
	settings batchSettings
}

// run measures both ways and returns their rates. It notes the batch's events in the report.
func (m *batchMeasurement) run(ctx context.Context, report *batchReport) (rate, bareRate float64, err error) {
	source := filepath.Join(m.dir, "rows.csv")
	var text strings.Builder
	text.WriteString("row\n")
	for i := range m.settings.rows {
		fmt.Fprintf(&text, "%d\n", i+1)
	}
	if err := os.WriteFile(source, []byte(text.String()), 0o600); err != nil {
		return 0, 0, err
	}
	in := workflows.BatchInput{
		Rows:          asteroid.BatchRows{Source: &asteroid.FileRef{URI: fileURI(source)}},
		Template:      workflows.RunAgentInput{AgentID: m.quick},
		InputColumns:  []string{"row"},
		Results:       asteroid.BatchResults{Destination: fileURI(filepath.Join(m.dir, "results.csv"))},
		MaxConcurrent: m.settings.concurrency,
	}
	var result workflows.BatchResult
	seconds, err := m.time(ctx, workflows.BatchName, in, &result)
	if err != nil {
		return 0, 0, err
	}
	if result.Counts.Succeeded != m.settings.rows {
		return 0, 0, fmt.Errorf("of %d rows %d succeeded", m.settings.rows, result.Counts.Succeeded)
	}
	if err := m.countEvents(ctx, report); err != nil {
		return 0, 0, err
	}
	bareSeconds, err := m.time(ctx, "bareRows", bareInput{m.quick, m.settings.rows, m.settings.concurrency, 0}, nil)
	return float64(m.settings.rows) / seconds, float64(m.settings.rows) / bareSeconds, err
}

// time returns how many seconds a workflow takes.
func (m *batchMeasurement) time(ctx context.Context, name string, in, result any) (float64, error) {
	began := time.Now()
	run, err := m.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{TaskQueue: workbenchQueue}, name, in)
	if err != nil {
		return 0, err
	}
	err = run.Get(ctx, result)
	return time.Since(began).Seconds(), err
}

// countEvents notes the events of the batch and its segments. The server lists a workflow a moment
// after it has closed.
func (m *batchMeasurement) countEvents(ctx context.Context, report *batchReport) error {
	time.Sleep(2 * time.Second)
	request := &workflowservice.ListWorkflowExecutionsRequest{
		Query: fmt.Sprintf("WorkflowType IN (%q, %q)", workflows.BatchName, workflows.BatchSegmentName),
	}
	var events int64
	for {
		page, err := m.client.ListWorkflow(ctx, request)
		if err != nil {
			return err
		}
		for _, info := range page.GetExecutions() {
			events += info.GetHistoryLength()
			report.MaxHistoryEvents = max(report.MaxHistoryEvents, info.GetHistoryLength())
		}
		if request.NextPageToken = page.GetNextPageToken(); len(request.NextPageToken) == 0 {
			report.EventsPerRow = rounded(float64(events)/float64(m.settings.rows), 1)
			return nil
		}
	}
}

// bareInput is the input of the hand-written way.
type bareInput struct {
	AgentID     string
	Rows        int
	Concurrency int
	Done        int
}

// bareRows runs the rows as child workflows under a window, and continues as new where its history
// would become too long. It keeps no results.
func bareRows(ctx workflow.Context, in bareInput) error {
	last := min(in.Rows, in.Done+bareRowsPerRun)
	underWay := 0
	var failure error
	ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{ParentClosePolicy: enums.PARENT_CLOSE_POLICY_REQUEST_CANCEL})
	for row := in.Done + 1; row <= last; row++ {
		if err := workflow.Await(ctx, func() bool { return underWay < in.Concurrency }); err != nil {
			return err
		}
		underWay++
		child := workflows.ExecuteRunAgent(ctx, workflows.RunAgentInput{AgentID: in.AgentID, Inputs: asteroid.Inputs{"row": fmt.Sprint(row)}})
		workflow.Go(ctx, func(ctx workflow.Context) {
			failure = errors.Join(failure, child.Get(ctx, nil))
			underWay--
		})
	}
	if err := workflow.Await(ctx, func() bool { return underWay == 0 }); err != nil || failure != nil {
		return errors.Join(err, failure)
	}
	if in.Done = last; last < in.Rows {
		return workflow.NewContinueAsNewError(ctx, bareRows, in)
	}
	return nil
}
