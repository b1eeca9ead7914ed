package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/workflows"
)

func (c *cli) newBatchCommand() *cobra.Command {
	command := &cobra.Command{
		Use: "batch", Short: "Run an agent for each row of a file",
		Long: help("Run an agent for each row of a file, some at a time, and write a file of results, by the workflow asteroid.Batch."),
		Args: usageArgs(cobra.NoArgs),
		RunE: func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	steer := func(name, short, update string) *cobra.Command {
		return &cobra.Command{
			Use: name + " WORKFLOW", Short: short, Args: usageArgs(cobra.ExactArgs(1)),
			RunE: func(command *cobra.Command, args []string) error {
				return c.updateBatch(command.Context(), args[0], update)
			},
		}
	}
	command.AddCommand(
		c.newBatchRunCommand(), c.newBatchStatusCommand(), c.newBatchRetryCommand(),
		steer("pause", "Start no new rows", workflows.PauseBatchUpdate),
		steer("resume", "Start rows again", workflows.ResumeBatchUpdate),
		steer("cancel", "Cancel the rows that are under way, start no more, and write the results", workflows.CancelBatchUpdate),
		&cobra.Command{
			Use: "concurrency WORKFLOW NUMBER", Short: "Set how many rows are under way at once", Args: usageArgs(cobra.ExactArgs(2)),
			RunE: func(command *cobra.Command, args []string) error {
				n, err := strconv.Atoi(args[1])
				if err != nil {
					return usageErrorf("NUMBER %q: give a number", args[1])
				}
				return c.updateBatch(command.Context(), args[0], workflows.SetConcurrencyUpdate, workflows.SetConcurrencyInput{MaxConcurrent: n})
			},
		},
	)
	return command
}

// batchSettings are the flags of asteroid batch run.
type batchSettings struct {
	agentInputs

	agent, out, taskQueue, id   string
	connection, profile         string
	keyColumn, batchKey, format string
	delimiter, encoding         string
	fields, limits              []string
	fairnessKey                 string
	concurrency, reruns         int
	stopAfter                   int
	checkInputs, wholeResult    bool
	skipMalformed, rerunChanged bool
	detach                      bool
}

func (c *cli) newBatchRunCommand() *cobra.Command {
	var s batchSettings
	command := &cobra.Command{
		Use: "run ROWS", Short: "Run an agent for each row of a CSV or JSON lines file",
		Long: help("Run the agent for each row of the file ROWS, a URI or a path on the worker's disk, and write the results to --out. {{column}} in an input, a file, a profile or a label stands for the row's value. Without --input every column is an input of its name.",
			"A batch that runs again with the same --batch-key and --out runs only the rows that have not succeeded. Ctrl-C stops the waiting, not the batch."),
		Example: "  asteroid batch run /srv/claims.csv --agent clerk --concurrency 20 --out /srv/results/claims.csv\n" +
			`  asteroid batch run s3://claims/rows.jsonl --agent clerk --input 'claim={{Claim No}}' --file 's3://claims/{{file}}' --out s3://claims/results.csv`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(command *cobra.Command, args []string) error { return c.runBatch(command.Context(), args[0], &s) },
	}
	flags := command.Flags()
	s.addFlags(flags)
	flags.StringVar(&s.agent, "agent", "", "the agent's `name or id`; required")
	flags.StringVar(&s.out, "out", "", "write the results to this `URI or path`, on the worker; required")
	flags.IntVar(&s.concurrency, "concurrency", 20, "have this `number` of rows under way at once")
	flags.StringVar(&s.keyColumn, "key-column", "", "identify a row by its value in this `column` (default: by its number)")
	flags.StringVar(&s.batchKey, "batch-key", "", "identify the batch by this `key` when it runs again (default: the workflow's id)")
	flags.StringVar(&s.format, "format", "", "read ROWS as csv or jsonl (default: as its name says)")
	flags.StringVar(&s.delimiter, "delimiter", "", "separate the cells of CSV by this `character`, or tab (default: as the header tells)")
	flags.StringVar(&s.encoding, "encoding", "", "read ROWS in the `encoding` utf-8, utf-16, latin1 or windows-1252 (default: as a byte order mark tells, else utf-8)")
	flags.StringArrayVar(&s.fields, "field", nil, "add the member at this `path` of the agent's result as a column, such as claim.number; repeatable")
	flags.BoolVar(&s.wholeResult, "whole-result", false, "add the agent's whole result as a column")
	flags.IntVar(&s.reruns, "reruns", 0, "run failed rows again at the end, at most this `number` of times")
	flags.IntVar(&s.stopAfter, "stop-after", 0, "start no more rows when this `number` of rows have failed (default: go on)")
	flags.BoolVar(&s.skipMalformed, "skip-malformed", false, "leave malformed rows out instead of refusing the file")
	flags.BoolVar(&s.rerunChanged, "rerun-changed", false, "run rows again that have succeeded before with other content")
	flags.BoolVar(&s.checkInputs, "check-inputs", false, "check every row against the inputs that the agent's version declares, before the first one starts")
	flags.StringVar(&s.profile, "agent-profile", "", "run with the agent profile that has this `id`, which may be a {{column}}")
	flags.StringArrayVar(&s.limits, "limit", nil, "have each row wait for a permit of the limit `key=max`; the key may have a {{column}}; repeatable")
	flags.StringVar(&s.fairnessKey, "fairness-key", "", "share the permits in turn with runs that have other `keys`, such as the name of a tenant")
	flags.StringVar(&s.connection, "connection", "", "use the worker's connection with this `name` (default: default)")
	flags.StringVar(&s.taskQueue, "task-queue", defaultTaskQueue, "run on the workers of this task `queue`")
	flags.StringVar(&s.id, "id", "", "give the workflow this `id` (default: a new one)")
	flags.BoolVar(&s.detach, "detach", false, "print the workflow id and do not wait")
	return command
}

// input returns the batch's input. Its errors are usage errors: nothing has been sent.
func (s *batchSettings) input(rows string, stdin io.Reader) (in workflows.BatchInput, err error) {
	if s.agent == "" || s.out == "" {
		return in, usageErrorf("--agent and --out are required: which agent runs, and where the results go")
	}
	source, err := fileURI(rows)
	if err != nil {
		return in, err
	}
	destination, err := fileURI(s.out)
	if err != nil {
		return in, err
	}
	in = workflows.BatchInput{
		Rows: asteroid.BatchRows{
			Source: &asteroid.FileRef{URI: source}, Format: asteroid.RowFormat(s.format), KeyColumn: s.keyColumn,
			Delimiter: s.delimiter, Encoding: s.encoding,
		},
		Template:      workflows.RunAgentInput{Connection: s.connection, AgentProfileID: s.profile, CheckInputs: s.checkInputs},
		Results:       asteroid.BatchResults{Destination: destination, Fields: s.fields, WholeResult: s.wholeResult},
		MaxConcurrent: s.concurrency, BatchKey: s.batchKey,
		Failures: workflows.FailuresOfBatch{StopAfter: s.stopAfter, Reruns: s.reruns},
	}
	if s.delimiter == "tab" || s.delimiter == `\t` {
		in.Rows.Delimiter = "\t"
	}
	if s.skipMalformed {
		in.Rows.OnMalformed = asteroid.RowsSkip
	}
	if s.rerunChanged {
		in.Rows.OnChanged = asteroid.RowsRerun
	}
	if len(s.inputs) == 0 && s.inputsFile == "" {
		in.InputColumns = []string{"*"}
	}
	t := &in.Template
	if t.Inputs, t.Files, t.Metadata, err = s.parse(stdin); err != nil {
		return in, err
	}
	t.Limits, err = parseLimits(s.limits, s.fairnessKey)
	return in, err
}

func (c *cli) runBatch(ctx context.Context, rows string, settings *batchSettings) error {
	in, err := settings.input(rows, c.in)
	if err != nil {
		return err
	}
	if in.Template.AgentID, err = c.agentID(ctx, agentsSettings{settings.connection, settings.taskQueue}, settings.agent); err != nil {
		return err
	}
	id := cmp.Or(settings.id, "asteroid-batch-"+rand.Text()[:10])
	return c.startBatch(ctx, id, settings.taskQueue, in, settings.detach)
}

// startBatch starts a batch, and waits for it unless it is detached.
func (c *cli) startBatch(ctx context.Context, id, queue string, in workflows.BatchInput, detach bool) error {
	s, err := c.connect(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	run, err := s.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: id, TaskQueue: queue, StaticSummary: "Run an agent for each row of a file",
		WorkflowIDConflictPolicy:                 enums.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
	}, workflows.BatchName, in)
	if _, exists := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); exists {
		return fmt.Errorf("a workflow with the id %s is at work already: asteroid batch status %[1]s shows it; give another --id", argument(id))
	}
	if err != nil {
		return s.failure(err, "")
	}
	if detach {
		return c.print(outcome{WorkflowID: run.GetID(), RunID: run.GetRunID()}, func(out io.Writer) error {
			_, err := fmt.Fprintln(out, run.GetID())
			return err
		})
	}
	fmt.Fprintf(c.err, "Workflow %s. Ctrl-C stops waiting; the batch goes on.\n", run.GetID())
	return c.awaitBatch(ctx, s, run.GetID())
}

func (c *cli) newBatchStatusCommand() *cobra.Command {
	var wait bool
	command := &cobra.Command{
		Use: "status WORKFLOW", Short: "Show how far a batch is", Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(command *cobra.Command, args []string) error {
			s, err := c.connect(command.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			if wait {
				return c.awaitBatch(command.Context(), s, args[0])
			}
			state, _, err := s.batchState(command.Context(), args[0])
			if err != nil {
				return err
			}
			return c.printBatch(state)
		},
	}
	command.Flags().BoolVar(&wait, "wait", false, "wait for the batch, and show how far it is meanwhile")
	return command
}

func (c *cli) newBatchRetryCommand() *cobra.Command {
	var detach bool
	command := &cobra.Command{
		Use: "retry-failed WORKFLOW", Short: "Run the failed rows of a batch again",
		Long: help("Run the failed rows of a batch again: at its end if it is at work, else by the same batch, which runs again what has not succeeded."),
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(command *cobra.Command, args []string) error {
			return c.retryBatch(command.Context(), args[0], detach)
		},
	}
	command.Flags().BoolVar(&detach, "detach", false, "print the workflow id and do not wait")
	return command
}

func (c *cli) retryBatch(ctx context.Context, id string, detach bool) error {
	s, err := c.connect(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	w, err := s.findBatch(ctx, id)
	if err != nil {
		return err
	}
	if w.open() {
		return c.updateBatch(ctx, id, workflows.RerunFailedUpdate)
	}
	// The first run of the chain has the input as it was given.
	history := s.GetWorkflowHistory(ctx, id, w.info.GetFirstRunId(), false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	event, err := history.Next()
	if err != nil {
		return s.failure(err, id)
	}
	var in workflows.BatchInput
	if err := converter.GetDefaultDataConverter().FromPayloads(event.GetWorkflowExecutionStartedEventAttributes().GetInput(), &in); err != nil {
		return fmt.Errorf("the input of the batch %s was written by another version, or is encoded: %w", id, err)
	}
	in.BatchKey, in.Internal = cmp.Or(in.BatchKey, id), workflows.BatchInternal{}
	return c.startBatch(ctx, id, w.queue(), in, detach)
}

// findBatch returns the batch with a workflow id.
func (s *service) findBatch(ctx context.Context, id string) (*foundWorkflow, error) {
	w, err := s.find(ctx, id)
	if err == nil && w.info.GetType().GetName() != workflows.BatchName {
		return nil, notFoundErrorf("workflow %s is a %s, and no batch", id, w.info.GetType().GetName())
	}
	return w, err
}

// batchState asks a batch how far it is. A worker has to answer.
func (s *service) batchState(ctx context.Context, id string) (state workflows.BatchState, w *foundWorkflow, err error) {
	if w, err = s.findBatch(ctx, id); err != nil {
		return state, nil, err
	}
	if polled, err := s.polled(ctx, w.queue()); err == nil && !polled {
		return state, w, noWorker(w.queue())
	}
	querying, done := context.WithTimeout(ctx, queryTimeout)
	defer done()
	value, err := s.QueryWorkflow(querying, w.id(), w.runID(), workflows.StateQuery)
	if err == nil {
		err = value.Get(&state)
	}
	if err != nil && ctx.Err() == nil {
		err = s.failure(err, id)
	}
	return state, w, err
}

func (c *cli) updateBatch(ctx context.Context, id, update string, args ...any) error {
	s, err := c.connect(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	w, err := s.findBatch(ctx, id)
	if err == nil {
		err = w.requireOpen()
	}
	if err != nil {
		return err
	}
	if polled, err := s.polled(ctx, w.queue()); err == nil && !polled {
		return noWorker(w.queue())
	}
	handle, err := s.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		UpdateID: uuid.NewString(), WorkflowID: id, UpdateName: update, Args: args, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	var state workflows.BatchState
	if err == nil {
		err = handle.Get(ctx, &state)
	}
	switch {
	case asteroid.IsInvalidInput(err):
		return usageErrorf("%s", message(err))
	case err != nil:
		return s.failure(err, id)
	}
	return c.printBatch(state)
}

// awaitBatch shows how far a batch is until it ends, and prints what became of it.
func (c *cli) awaitBatch(ctx context.Context, s *service, id string) error {
	bar := newBatchBar(c.err)
	defer bar.stop()
	pause := 300 * time.Millisecond
	for {
		state, w, err := s.batchState(ctx, id)
		switch {
		case ctx.Err() != nil:
			return codedError{exitInterrupted, fmt.Errorf("interrupted, and the batch goes on: asteroid batch status %[1]s shows it, asteroid batch cancel %[1]s ends it", argument(id))}
		case w == nil && isUnreachable(err): // for now
			bar.trouble(message(err))
		case w == nil:
			return err
		case err != nil:
			bar.trouble(message(err))
		default:
			bar.show(state)
		}
		if w == nil || w.open() {
			pause = min(pause*3/2, 5*time.Second)
			timer := time.NewTimer(pause)
			select {
			case <-ctx.Done():
			case <-timer.C:
			}
			timer.Stop()
			continue
		}
		bar.stop()
		ended, err := w.awaitClose(ctx)
		if err != nil {
			return err
		}
		var result workflows.BatchResult
		if cancelled, ok := errors.AsType[*temporal.CanceledError](ended); ok && cancelled.HasDetails() {
			ended = cancelled.Details(&result) // the results were written before
		} else if ended == nil {
			ended = s.GetWorkflow(ctx, id, w.runID()).Get(ctx, &result)
		}
		if ended != nil {
			return ended
		}
		return c.printBatchResult(id, result)
	}
}

func (c *cli) printBatchResult(id string, result workflows.BatchResult) error {
	err := c.print(result, func(out io.Writer) error {
		field(out, "Rows", rowCounts(result.Counts))
		if result.AlreadySucceeded > 0 {
			field(out, "Earlier", fmt.Sprintf("%d of them had succeeded before", result.AlreadySucceeded))
		}
		field(out, "Results", oneLine(result.Results.URI))
		field(out, "Took", coarse(result.EndedAt.Sub(result.StartedAt)))
		if result.Stopped != "" {
			field(out, "Stopped", oneLine(result.Stopped))
		}
		for _, warning := range result.Warnings {
			field(out, "Warning", oneLine(warning))
		}
		return nil
	})
	counts := result.Counts
	if lacking := counts.Failed + counts.Cancelled + counts.NotRun; err == nil && lacking > 0 {
		return codedError{exitAgentFailed, fmt.Errorf("%s not succeeded: the results say why, and asteroid batch retry-failed %s runs them again",
			rowsHave(lacking), argument(id))}
	}
	return err
}

func rowsHave(n int) string {
	if n == 1 {
		return "1 row has"
	}
	return fmt.Sprintf("%d rows have", n)
}

func rowCounts(counts asteroid.RowCounts) string {
	text := fmt.Sprintf("%d succeeded, %d failed", counts.Succeeded, counts.Failed)
	for _, more := range []struct {
		n    int
		what string
	}{{counts.Cancelled, "cancelled"}, {counts.NotRun, "not run"}, {counts.Skipped, "skipped"}} {
		if more.n > 0 {
			text += fmt.Sprintf(", %d %s", more.n, more.what)
		}
	}
	return text
}

func (c *cli) printBatch(state workflows.BatchState) error {
	return c.print(state, func(out io.Writer) error {
		_, err := fmt.Fprintln(out, batchLine(state))
		return err
	})
}
