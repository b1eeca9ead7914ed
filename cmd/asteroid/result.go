package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/text"
	"github.com/temporal-asteroid/asteroid/workflows"
)

func (c *cli) newResultCommand() *cobra.Command {
	var wait bool
	var timeout time.Duration
	command := &cobra.Command{
		Use:   "result WORKFLOW",
		Short: "Print the result of a finished workflow",
		Long: help("Print the result of a finished workflow, or the error that it failed with. No worker is needed.",
			"A result that is too large for Temporal stays at Asteroid: asteroid files save --result saves it."),
		Example:           "  asteroid result claim-1042 --json | jq .result.executionResult.result",
		Args:              usageArgs(cobra.ExactArgs(1)),
		ValidArgsFunction: c.completeWorkflow,
		RunE: func(command *cobra.Command, args []string) error {
			ctx := command.Context()
			if timeout < 0 || timeout > 0 && !wait {
				return usageErrorf("--timeout bounds --wait: give both, and a positive time")
			}
			s, err := c.connect(ctx)
			if err != nil {
				return err
			}
			defer s.Close()
			w, err := s.find(ctx, args[0])
			switch {
			case err != nil:
				return err
			case wait:
				return c.await(ctx, w, timeout)
			case w.open():
				return fmt.Errorf("workflow %s has not finished: asteroid show %s shows what it does, --wait waits for it", w.id(), argument(w.id()))
			}
			return c.printOutcome(ctx, w)
		},
	}
	command.Flags().BoolVar(&wait, "wait", false, "wait for the workflow, and print what its agents do meanwhile")
	command.Flags().DurationVar(&timeout, "timeout", 0, "stop waiting after this `time`, such as 30m; the agents go on")
	return command
}

// outcome is what became of a workflow, as JSON.
type outcome struct {
	WorkflowID string          `json:"workflowId"`
	RunID      string          `json:"runId"`
	Result     json.RawMessage `json:"result,omitempty"`
	Error      *failed         `json:"error,omitempty"`
}

// failed is the error of a workflow, as JSON.
type failed struct {
	Type        string          `json:"type,omitempty"`
	Message     string          `json:"message"`
	ExecutionID string          `json:"executionId,omitempty"`
	Status      asteroid.Status `json:"status,omitempty"`
}

// printOutcome waits for the workflow and prints its result. It returns the workflow's error, or
// one that says that its agent did not complete.
func (c *cli) printOutcome(ctx context.Context, w *foundWorkflow) error {
	printed := outcome{WorkflowID: w.id(), RunID: w.runID()}
	var value converter.RawValue
	err := w.service.GetWorkflow(ctx, w.id(), w.runID()).Get(ctx, &value)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil && !errors.As(err, new(*temporal.WorkflowExecutionError)):
		return w.service.failure(err, w.id())
	case err != nil:
		details, _ := asteroid.DetailsOf(err)
		printed.Error = &failed{asteroid.ErrorTypeOf(err), message(err), details.ExecutionID, details.Status}
		if c.json {
			return errors.Join(c.print(printed, nil), err)
		}
		return err
	}
	_ = converter.GetDefaultDataConverter().FromPayload(value.Payload(), &printed.Result) // stays empty if it is not JSON
	var runs workflows.PipelineResult
	switch w.info.GetType().GetName() {
	case workflows.RunAgentName:
		runs.Steps = make([]workflows.RunAgentResult, 1)
		err = json.Unmarshal(printed.Result, &runs.Steps[0])
	case workflows.PipelineName:
		err = json.Unmarshal(printed.Result, &runs)
	}
	if err != nil && c.json {
		return errors.Join(c.print(printed, nil), fmt.Errorf("the result of workflow %s was written by another version, or is encoded: %w", w.id(), err))
	}
	if err != nil {
		return fmt.Errorf("the result of workflow %s was written by another version, or is encoded: %w", w.id(), err)
	}
	if err := c.print(printed, func(out io.Writer) error {
		if len(runs.Steps) == 0 {
			return printJSON(out, printed.Result, "")
		}
		for i := range runs.Steps {
			if err := printRun(out, w, &runs.Steps[i]); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	for i := range runs.Steps {
		if run := &runs.Steps[i]; run.Status != asteroid.StatusCompleted {
			return codedError{exitAgentFailed, fmt.Errorf("execution %s is %s %s", run.ExecutionID, run.Status, run.Reason)}
		}
	}
	return nil
}

// printRun prints the result of an agent's run for people.
func printRun(out io.Writer, w *foundWorkflow, run *workflows.RunAgentResult) error {
	agent := workflows.AgentState{AgentID: run.AgentID, AgentName: run.AgentName}
	heading := nameOf(&agent) + ": " + oneLine(string(run.Status))
	result := run.ExecutionResult
	if result != nil && result.Outcome != "" {
		heading += ", outcome " + oneLine(result.Outcome)
	}
	fmt.Fprintln(out, heading)
	field(out, "Execution", oneLine(run.ExecutionID))
	field(out, "Page", oneLine(run.PlatformURL))
	field(out, "Recording", oneLine(run.RecordingURL))
	if run.Duration > 0 {
		field(out, "Took", (time.Duration(run.Duration) * time.Second).String())
	}
	if run.Adopted {
		field(out, "Adopted", "an earlier start of the same request")
	}
	if result != nil {
		field(out, "Reasoning", text.Line(result.Reasoning, len(result.Reasoning)))
	}
	for _, warning := range run.Warnings {
		field(out, "Warning", oneLine(warning))
	}
	for _, mismatch := range run.ResultMismatch {
		field(out, "Mismatch", oneLine(mismatch))
	}
	for _, failure := range run.ScriptFailures {
		field(out, "Script", oneLine(failure.Script+" failed: "+failure.Error))
	}
	printFiles(out, run.Outputs)
	if omitted := run.ResultOmitted; omitted != nil {
		field(out, "Result", fmt.Sprintf("%s, too large for Temporal. Save it: asteroid files save %s --execution %s --result --to DIR",
			size(omitted.Bytes), argument(w.id()), argument(run.ExecutionID)))
		return nil
	}
	if len(run.Result()) == 0 {
		return nil
	}
	fmt.Fprintln(out, "  Result")
	return printJSON(out, run.Result(), "    ")
}

// printFiles prints a line for each file, at most 20.
func printFiles(out io.Writer, files []asteroid.OutputFile) {
	const most = 20
	for i, file := range files {
		if i == most {
			field(out, "File", fmt.Sprintf("%d more, which --json lists", len(files)-most))
			return
		}
		field(out, "File", fmt.Sprintf("%s  %s  %s", oneLine(file.Name), size(file.Size), oneLine(file.URI)))
	}
}

// printJSON prints a JSON value with an indent before each line.
func printJSON(out io.Writer, value json.RawMessage, indent string) error {
	if len(value) == 0 {
		_, err := fmt.Fprintln(out, indent+"no result")
		return err
	}
	encoded, err := indented(value)
	if err != nil {
		return err
	}
	for line := range bytes.Lines([]byte(encoded)) {
		if _, err := fmt.Fprintf(out, "%s%s", indent, line); err != nil {
			return err
		}
	}
	return nil
}
