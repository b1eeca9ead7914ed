package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/cmd/internal/program"
	"github.com/temporal-asteroid/asteroid/workflows"
)

func (c *cli) newFilesCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "files",
		Short: "Files of executions",
		Args:  usageArgs(cobra.NoArgs),
		RunE:  func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	command.AddCommand(c.newFilesSaveCommand())
	return command
}

// saveSettings are the flags of asteroid files save.
type saveSettings struct {
	selection                        asteroid.FileSelection
	to                               string
	execution, connection, taskQueue string
	timeout                          time.Duration
}

func (c *cli) newFilesSaveCommand() *cobra.Command {
	var s saveSettings
	command := &cobra.Command{
		Use:   "save WORKFLOW|EXECUTION",
		Short: "Save files of an execution, where the worker runs",
		Long: help("Save files of an execution: its downloads, unless flags select others.",
			"The worker writes them. A directory is one on the worker's disk, below one of its output roots, not on this machine; "+
				"a URI such as s3://bucket/claims is that of one of its stores. The server must support standalone activities."),
		Example: "  asteroid files save claim-1042 --to /srv/results\n" +
			"  asteroid files save claim-1042 --result --name 'report-*.pdf' --to s3://results/1042",
		Args:              usageArgs(cobra.ExactArgs(1)),
		ValidArgsFunction: c.completeWorkflow,
		RunE:              func(command *cobra.Command, args []string) error { return c.saveFiles(command.Context(), args[0], s) },
	}
	flags := command.Flags()
	flags.StringVar(&s.to, "to", "", "write to this `directory or URI` (required)")
	flags.StringArrayVar(&s.selection.Directories, "directory", nil, "files of this `directory`: uploads, downloads, workspace, shared or debug; repeatable")
	flags.StringArrayVar(&s.selection.Names, "name", nil, "files whose name fits this `pattern`, such as *.pdf; repeatable")
	flags.BoolVar(&s.selection.Result, "result", false, "also the execution's result, as result.json")
	flags.StringVar(&s.execution, "execution", "", "the execution with this `id`, if the workflow has several")
	flags.StringVar(&s.connection, "connection", "", "use the worker's connection with this `name` (default: the workflow's)")
	flags.StringVar(&s.taskQueue, "task-queue", "", "save by the workers of this task `queue` (default: the workflow's, or asteroid)")
	flags.DurationVar(&s.timeout, "timeout", time.Hour, "give up after this `time`")
	return command
}

func (c *cli) saveFiles(ctx context.Context, of string, settings saveSettings) error {
	switch {
	case settings.to == "":
		return usageErrorf("--to is missing: give a directory on the worker's disk, or the URI of one of its stores")
	case settings.timeout <= 0:
		return usageErrorf("--timeout %s: give a positive time, such as 10m", settings.timeout)
	}
	destination, err := fileURI(settings.to)
	if err != nil {
		return err
	}
	s, err := c.connect(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := settings.locate(ctx, s, of); err != nil {
		return err
	}
	in := asteroid.SaveFilesInput{Connection: settings.connection, ExecutionID: settings.execution, FileSelection: settings.selection, Destination: destination}
	if err := in.Validate(); err != nil {
		return usageErrorf("%w", err)
	}
	handle, err := s.startActivity(ctx, client.StartActivityOptions{
		ID: "asteroid-save-" + uuid.NewString(), TaskQueue: settings.taskQueue,
		StartToCloseTimeout: settings.timeout, ScheduleToCloseTimeout: settings.timeout, HeartbeatTimeout: time.Minute,
		Summary: "Save files of execution " + oneLine(in.ExecutionID),
	}, asteroid.SaveFilesName, in, ", or let the workflow save the files (asteroid run --save-to)")
	if err != nil {
		return err
	}
	var saved asteroid.SaveFilesResult
	if err := c.awaitActivity(ctx, handle, &saved); err != nil {
		return err
	}
	if len(saved.Files) == 0 {
		return notFoundErrorf("execution %s has no such files: nothing was saved", in.ExecutionID)
	}
	return c.print(saved, func(out io.Writer) error {
		fmt.Fprintf(out, "Saved where the worker of the task queue %s runs:\n", argument(settings.taskQueue))
		printFiles(out, saved.Files)
		return nil
	})
}

// locate finds out the execution, the connection and the task queue: from the workflow with the id,
// or for an execution's own id from the flags.
func (s *saveSettings) locate(ctx context.Context, c *service, id string) error {
	w, err := c.find(ctx, id)
	if codeOf(ctx, err) == exitNotFound && err != nil {
		if uuid.Validate(id) != nil || s.execution != "" {
			return err
		}
		s.execution = id
		if s.taskQueue == "" {
			s.taskQueue = defaultTaskQueue
		}
		return nil
	}
	if err != nil {
		return err
	}
	if s.taskQueue == "" {
		s.taskQueue = w.queue()
	}
	state, err := w.state(ctx)
	if err != nil {
		return err
	}
	has := func(agent *workflows.AgentState) bool { return agent.ExecutionID != "" }
	agent, err := w.pick(state, s.execution, has, "has an execution")
	if err != nil {
		return err
	}
	s.execution = agent.ExecutionID
	if s.connection == "" {
		s.connection = agent.Connection
	}
	return nil
}

// awaitActivity waits for a standalone activity. An interrupt cancels it.
func (c *cli) awaitActivity(ctx context.Context, handle client.ActivityHandle, result any) error {
	following, stop := context.WithCancel(ctx)
	var group sync.WaitGroup
	group.Go(func() { c.followSaving(following, handle) })
	err := handle.Get(ctx, result)
	stop()
	group.Wait()
	if ctx.Err() != nil {
		const patience = 5 * time.Second
		cancelling, done := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer done()
		_ = handle.Cancel(cancelling, client.CancelActivityOptions{Reason: "asteroid files save was interrupted"})
		return codedError{exitInterrupted, errors.New("interrupted: some files may have been saved")}
	}
	if _, timedOut := errors.AsType[*temporal.TimeoutError](err); timedOut {
		advice := "see that a worker runs, and give a longer --timeout"
		if described, err := handle.Describe(ctx, client.DescribeActivityOptions{IncludeLastFailure: true}); err == nil && described.HasLastFailure() {
			advice = message(described.GetLastFailure())
		}
		return codedError{exitTimedOut, errors.New("the files are not saved in time: " + advice)}
	}
	return err
}

// followSaving prints how much of the files is saved, whenever that has changed.
func (c *cli) followSaving(ctx context.Context, handle client.ActivityHandle) {
	const pause = 2 * time.Second
	var shown string
	for program.Sleep(ctx, pause) {
		described, err := handle.Describe(ctx, client.DescribeActivityOptions{IncludeHeartbeatDetails: true})
		var progress asteroid.Progress[asteroid.OutputFile]
		if err != nil || !described.HasHeartbeatDetails() || described.GetHeartbeatDetails(&progress) != nil {
			continue
		}
		line := fmt.Sprintf("%d of %d files, %s of %s", progress.Files, progress.TotalFiles, size(progress.Bytes), size(progress.TotalBytes))
		if line != shown {
			fmt.Fprintln(c.err, line)
			shown = line
		}
	}
}
