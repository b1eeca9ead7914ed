package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid"
	foreign "github.com/temporal-asteroid/asteroid/internal/text"
	"github.com/temporal-asteroid/asteroid/workflows"
)

const (
	// rowsAtOnce is few, so that the sample rows take long enough to watch.
	rowsAtOnce = 4
	// shownLines and shownBytes bound what is printed of the results.
	shownLines, shownBytes = 4, 4 << 10
)

// batchInput returns the batch of the rows in a file. The results go to the directory
// settings.save, in a file of their own.
func (s *stack) batchInput(settings settings, rows *localFile, sample bool) workflows.BatchInput {
	source := rows.ref()
	in := workflows.BatchInput{
		Rows:          asteroid.BatchRows{Source: &source},
		Template:      workflows.RunAgentInput{AgentID: s.ids[settings.agents[0]], Inputs: settings.inputs},
		Results:       asteroid.BatchResults{WholeResult: true},
		MaxConcurrent: rowsAtOnce,
		BatchKey:      workflowID("asteroid-demo-batch"),
	}
	in.Results.Destination = fileURI(resultsPath(settings, in.BatchKey))
	if sample {
		in.Rows.KeyColumn, in.Results.Columns = "claim_id", []string{"claim_id", "description"}
	}
	switch {
	case len(settings.inputs) > 0:
	case sample:
		in.Template.Inputs = asteroid.Inputs{"claim": "{{claim_id}}", "amount": "{{claimed_amount_eur}}"}
	default:
		in.InputColumns = []string{"*"}
	}
	return in
}

func resultsPath(settings settings, batchKey string) string {
	return filepath.Join(settings.save, batchKey+".csv")
}

// runBatch runs an agent for each row and prints the result and the first of the results. It fails
// if rows have not succeeded.
func (s *stack) runBatch(ctx context.Context, settings settings, in workflows.BatchInput, display *display, stdout, log io.Writer) error {
	run, err := s.temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:            in.BatchKey,
		TaskQueue:     s.taskQueue,
		StaticSummary: "Run " + s.names[in.Template.AgentID] + " for each row of " + filepath.Base(settings.files[0]),
		StaticDetails: fmt.Sprintf("At most %d rows are at work at once. Each is a workflow of its own.", in.MaxConcurrent),
	}, workflows.BatchName, in)
	if err != nil {
		return fmt.Errorf("start the workflow: %w", err)
	}
	page := s.started(run, display)
	var result workflows.BatchResult
	err = s.follow(ctx, run, &result, s.showBatch, display)
	display.Stop()
	if err != nil {
		return failed(ctx, settings, err, log)
	}
	if settings.json {
		err = json.NewEncoder(stdout).Encode(result)
	} else {
		err = printBatch(stdout, result, resultsPath(settings, in.BatchKey))
	}
	if err != nil {
		return err
	}
	var incomplete error
	if n := result.Counts.Failed + result.Counts.Cancelled + result.Counts.NotRun; n > 0 {
		incomplete = fmt.Errorf("rows that have not succeeded: %d; the results say why", n)
	}
	return errors.Join(incomplete, s.next(ctx, settings, page, log))
}

// showBatch queries the batch's state, by its id alone since it may have continued as new.
func (s *stack) showBatch(ctx context.Context, run client.WorkflowRun, display *display) {
	value, err := s.temporal.QueryWorkflow(ctx, run.GetID(), "", workflows.StateQuery)
	var state workflows.BatchState
	if err != nil || value.Get(&state) != nil {
		return // the workflow has not started yet
	}
	display.batch(state)
	display.retry(s.retryReason(ctx, run))
}

// printBatch writes the result for people, with the first lines of the file of results.
func printBatch(out io.Writer, result workflows.BatchResult, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read the results: %w", err)
	}
	defer file.Close()
	start, err := io.ReadAll(io.LimitReader(file, shownBytes))
	if err != nil {
		return fmt.Errorf("read the results: %w", err)
	}
	fmt.Fprintf(out, "\n%d rows succeeded, %d failed, in %.1fs. The results begin with\n",
		result.Counts.Succeeded, result.Counts.Failed, result.EndedAt.Sub(result.StartedAt).Seconds())
	lines := strings.Split(strings.TrimSuffix(string(start), "\n"), "\n")
	for _, line := range lines[:min(len(lines), shownLines)] {
		fmt.Fprintln(out, "    "+foreign.Clean(strings.TrimSuffix(line, "\r"))) // as in report.print
	}
	for _, warning := range result.Warnings {
		fmt.Fprintln(out, "Warning: "+foreign.Clean(warning))
	}
	fmt.Fprintf(out, "All of them: %s\n", path)
	return nil
}
