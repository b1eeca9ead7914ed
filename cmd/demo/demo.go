package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// report is what --json prints.
type report struct {
	WorkflowID     string       `json:"workflowId"`
	RunID          string       `json:"runId"`
	Executions     []execution  `json:"executions"`
	Files          []*localFile `json:"files"`
	UIURL          string       `json:"uiUrl"`
	ElapsedSeconds float64      `json:"elapsedSeconds"`
}

type execution struct {
	Agent       string          `json:"agent"`
	ExecutionID string          `json:"executionId"`
	Status      asteroid.Status `json:"status"`
	Outcome     string          `json:"outcome"`
	Result      json.RawMessage `json:"result"`
	// ResultOmitted refers to a result that is too large to be printed.
	ResultOmitted *asteroid.OmittedResult `json:"resultOmitted,omitempty"`
	// Outputs are the URIs of the agent's output files.
	Outputs []string `json:"outputs,omitempty"`
}

// runDemo runs the agents and prints their results.
func runDemo(ctx context.Context, settings settings, stdout, stderr io.Writer) error {
	began := time.Now()
	if len(settings.files) == 0 && !settings.live {
		paths, remove, err := sampleFiles()
		if err != nil {
			return fmt.Errorf("write the sample files: %w", err)
		}
		defer remove()
		settings.files = paths
	}
	files, err := openFiles(settings.files)
	if err != nil {
		return err
	}
	log := stdout
	if settings.json {
		log = stderr
	}
	display := newProgress(log, began)
	display.phase("starting a Temporal server with its web UI, " + service(settings) + " and a worker")
	s, err := startStack(ctx, settings, files)
	if err != nil {
		display.stop()
		return err
	}
	defer s.close()

	run, err := s.start(ctx, settings, files)
	if err != nil {
		display.stop()
		return fmt.Errorf("start the workflow: %w", err)
	}
	page := s.server.WorkflowURL("default", run.GetID(), run.GetRunID())
	display.phase("workflow " + run.GetID() + " started: " + page)
	result, err := s.follow(ctx, run, display)
	display.stop()
	if err != nil {
		if settings.keep && ctx.Err() == nil {
			fmt.Fprintf(log, "Failed: %v\nThe workflow's page: %s\n", err, page)
			awaitInterrupt(ctx, log)
		}
		return err
	}
	summary := report{
		WorkflowID: run.GetID(), RunID: run.GetRunID(), Executions: s.executions(result), Files: files,
		UIURL: page, ElapsedSeconds: time.Since(began).Round(time.Millisecond).Seconds(),
	}
	mismatch := compareDigests(files, result)
	if settings.json {
		if err := json.NewEncoder(stdout).Encode(summary); err != nil {
			return err
		}
	} else {
		summary.print(stdout)
	}
	if settings.keep {
		awaitInterrupt(ctx, log)
	}
	return mismatch
}

func service(settings settings) string {
	if settings.live {
		return "a connection to the Asteroid API"
	}
	return "a fake of the Asteroid API"
}

// start starts the pipeline. The first agent gets the files and the inputs. Each further agent gets
// the execution id, the result and the downloads of the agent before.
func (s *stack) start(ctx context.Context, settings settings, files []*localFile) (client.WorkflowRun, error) {
	var pipeline workflows.PipelineInput
	var names []string
	for i, agent := range settings.agents {
		id := s.ids[agent]
		step := workflows.PipelineStep{RunAgentInput: workflows.RunAgentInput{AgentID: id}}
		if settings.save != "" || i < len(settings.agents)-1 {
			step.Collect = &workflows.Collect{Destination: settings.save}
		}
		if i == 0 {
			step.Inputs = settings.inputs
			for _, f := range files {
				step.Files = append(step.Files, f.ref())
			}
		} else {
			// Without --save, the next agent takes the files by reference, within the API.
			step.ExecutionIDInput, step.ResultInput, step.TakeFiles = "executionId", "result", settings.save == ""
		}
		pipeline.Steps = append(pipeline.Steps, step)
		names = append(names, s.names[id])
	}
	summary := "Run " + strings.Join(names, ", then ")
	if len(files) > 0 {
		summary += " over " + fileNames(files)
	}
	return s.temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:            "asteroid-demo-" + time.Now().UTC().Format("20060102-150405.000"),
		TaskQueue:     taskQueue,
		StaticSummary: summary,
		StaticDetails: "Each agent starts from the execution id, the result and the downloads of the agent before it.",
	}, workflows.PipelineName, pipeline)
}

func fileNames(files []*localFile) string {
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = f.Name
	}
	return strings.Join(names, ", ")
}

// cancelTimeout bounds the time that an interrupted demo waits until the agent's run is cancelled.
const cancelTimeout = 20 * time.Second

// follow shows the progress of the agents until the workflow is closed. An interrupt cancels the
// workflow and with it the agent, which would otherwise run on and cost money at the real API.
func (s *stack) follow(ctx context.Context, run client.WorkflowRun, display *progress) (*workflows.PipelineResult, error) {
	polling, stop := context.WithCancel(ctx)
	defer stop()
	go s.pollState(polling, run, display)

	var result workflows.PipelineResult
	err := run.Get(ctx, &result)
	if err == nil {
		stop()
		s.showState(ctx, run, display) // changes since the last poll
		return &result, nil
	}
	if ctx.Err() != nil {
		display.phase("cancelling the agent's run")
		cancelling, done := context.WithTimeout(context.WithoutCancel(ctx), cancelTimeout)
		defer done()
		if s.temporal.CancelWorkflow(cancelling, run.GetID(), run.GetRunID()) == nil {
			_ = run.Get(cancelling, nil)
		}
		return nil, ctx.Err()
	}
	return nil, applicationError(err)
}

// pollState shows the workflow's state every 300 milliseconds.
func (s *stack) pollState(ctx context.Context, run client.WorkflowRun, display *progress) {
	ticker := time.NewTicker(300 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.showState(ctx, run, display)
		}
	}
}

// showState queries the workflow's state and shows what has changed.
func (s *stack) showState(ctx context.Context, run client.WorkflowRun, display *progress) {
	value, err := s.temporal.QueryWorkflow(ctx, run.GetID(), run.GetRunID(), workflows.StateQuery)
	var state workflows.State
	if err != nil || value.Get(&state) != nil {
		return // the workflow has not started yet
	}
	for i, agent := range state.Agents {
		display.agent(i, s.names[agent.AgentID], agent)
	}
	display.retry(s.retryReason(ctx, run))
}

// retryReason returns the last failure of an activity that is being retried, if any. It ignores
// StillRunning, which is how AwaitExecution polls.
func (s *stack) retryReason(ctx context.Context, run client.WorkflowRun) string {
	described, err := s.temporal.DescribeWorkflowExecution(ctx, run.GetID(), run.GetRunID())
	if err != nil {
		return ""
	}
	for _, pending := range described.PendingActivities {
		failure := pending.GetLastFailure()
		if failure != nil && failure.GetApplicationFailureInfo().GetType() != asteroid.ErrorTypeStillRunning {
			return failure.GetMessage()
		}
	}
	return ""
}

func (s *stack) executions(result *workflows.PipelineResult) []execution {
	executions := make([]execution, len(result.Steps))
	for i, step := range result.Steps {
		executions[i] = execution{Agent: s.names[step.AgentID], ExecutionID: step.ExecutionID, Status: step.Status}
		if r := step.ExecutionResult; r != nil {
			executions[i].Outcome, executions[i].Result = r.Outcome, r.Result
		}
		executions[i].ResultOmitted = step.ResultOmitted
		for _, output := range step.Outputs {
			executions[i].Outputs = append(executions[i].Outputs, output.URI)
		}
	}
	return executions
}

// compareDigests records the digests that the first agent reports, and returns an error if they
// differ from those of the files. An agent that reports no digests is not an error.
func compareDigests(files []*localFile, result *workflows.PipelineResult) error {
	var reported struct {
		Files []struct {
			Name   string `json:"name"`
			SHA256 string `json:"sha256"`
		} `json:"files"`
	}
	first := result.Steps[0]
	_ = first.DecodeResult(&reported) // a result of another shape has no digests
	digests := map[string]string{}
	for _, f := range reported.Files {
		if f.SHA256 != "" {
			digests[f.Name] = f.SHA256
		}
	}
	if len(digests) == 0 {
		return nil
	}
	var errs []error
	for i, f := range files {
		f.SeenSHA256 = digests[first.Files[i].Name]
		if f.SeenSHA256 != f.SHA256 {
			errs = append(errs, fmt.Errorf("%s arrived damaged: its SHA-256 is %s, the agent reports %q", f.Name, f.SHA256, f.SeenSHA256))
		}
	}
	return errors.Join(errs...)
}

// applicationError returns the message of the application error in a workflow's error, without the
// chain around it.
func applicationError(err error) error {
	if cause, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return errors.New(cause.Message())
	}
	return err
}

func awaitInterrupt(ctx context.Context, out io.Writer) {
	fmt.Fprintln(out, "\nEverything keeps running. Press Ctrl-C to stop it.")
	<-ctx.Done()
}
