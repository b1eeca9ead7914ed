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
	// Outputs are where the files that the agent left can be found.
	Outputs []string `json:"outputs,omitempty"`
}

// demonstrate runs the agents and prints what comes of it.
func demonstrate(ctx context.Context, settings settings, stdout, stderr io.Writer) error {
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
	told := stdout
	if settings.json {
		told = stderr
	}
	show := newProgress(told, began)
	show.phase("starting a Temporal server with its web UI, " + service(settings) + " and a worker")
	s, err := startStack(ctx, settings, files)
	if err != nil {
		show.stop()
		return err
	}
	defer s.close()

	run, err := s.start(ctx, settings, files)
	if err != nil {
		show.stop()
		return fmt.Errorf("start the workflow: %w", err)
	}
	page := s.server.WorkflowURL("default", run.GetID(), run.GetRunID())
	show.phase("workflow " + run.GetID() + " started: " + page)
	result, err := s.follow(ctx, run, show)
	show.stop()
	if err != nil {
		if settings.keep && ctx.Err() == nil {
			fmt.Fprintf(told, "Failed: %v\nThe workflow's page: %s\n", err, page)
			keep(ctx, told)
		}
		return err
	}
	summary := report{
		WorkflowID: run.GetID(), RunID: run.GetRunID(), Executions: s.executions(result), Files: files,
		UIURL: page, ElapsedSeconds: time.Since(began).Round(time.Millisecond).Seconds(),
	}
	mismatch := compare(files, result)
	if settings.json {
		if err := json.NewEncoder(stdout).Encode(summary); err != nil {
			return err
		}
	} else {
		summary.print(stdout)
	}
	if settings.keep {
		keep(ctx, told)
	}
	return mismatch
}

func service(settings settings) string {
	if settings.live {
		return "a connection to the Asteroid API"
	}
	return "a fake of the Asteroid API"
}

// start starts the sample workflow: the first agent gets the files and inputs, each further one the execution id, the
// result and the downloads of the one before.
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
			// Where nothing is saved, the files go on by reference, from the service to the service.
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
		StaticDetails: "Each agent starts from the execution id, the result and the downloads of the one before it.",
	}, workflows.PipelineName, pipeline)
}

func fileNames(files []*localFile) string {
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = f.Name
	}
	return strings.Join(names, ", ")
}

// stopPatience is how long an interrupted demo waits for the agent's run to be cancelled.
const stopPatience = 20 * time.Second

// follow shows how far the agents are until the workflow is over. An interrupt cancels the workflow, and with it the
// agent: on the real service it would go on working, and cost.
func (s *stack) follow(ctx context.Context, run client.WorkflowRun, show *progress) (*workflows.PipelineResult, error) {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go s.watch(watching, run, show)

	var result workflows.PipelineResult
	err := run.Get(ctx, &result)
	if err == nil {
		stop()
		s.tell(ctx, run, show) // what has changed since the last look
		return &result, nil
	}
	if ctx.Err() != nil {
		show.phase("cancelling the agent's run")
		ending, done := context.WithTimeout(context.WithoutCancel(ctx), stopPatience)
		defer done()
		if s.temporal.CancelWorkflow(ending, run.GetID(), run.GetRunID()) == nil {
			_ = run.Get(ending, nil)
		}
		return nil, ctx.Err()
	}
	return nil, oneLine(err)
}

// watch shows now and then what is new.
func (s *stack) watch(ctx context.Context, run client.WorkflowRun, show *progress) {
	ticker := time.NewTicker(300 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.tell(ctx, run, show)
		}
	}
}

// tell asks the workflow for its state and shows what is new.
func (s *stack) tell(ctx context.Context, run client.WorkflowRun, show *progress) {
	value, err := s.temporal.QueryWorkflow(ctx, run.GetID(), run.GetRunID(), workflows.StateQuery)
	var state workflows.State
	if err != nil || value.Get(&state) != nil {
		return // not begun yet
	}
	for i, agent := range state.Agents {
		show.agent(i, s.names[agent.AgentID], agent)
	}
	show.trouble(s.retrying(ctx, run))
}

// retrying returns why an activity is being retried, if one is. A poll of a run that goes on is no trouble.
func (s *stack) retrying(ctx context.Context, run client.WorkflowRun) string {
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
		for _, output := range step.Outputs {
			executions[i].Outputs = append(executions[i].Outputs, output.URI)
		}
	}
	return executions
}

// compare takes the digests that the first agent reports and checks them against the files' own. An agent that reports
// none proves nothing, and is no error.
func compare(files []*localFile, result *workflows.PipelineResult) error {
	var seen struct {
		Files []struct {
			Name   string `json:"name"`
			SHA256 string `json:"sha256"`
		} `json:"files"`
	}
	first := result.Steps[0]
	_ = first.DecodeResult(&seen) // a result of another shape has no digests
	digests := map[string]string{}
	for _, f := range seen.Files {
		if f.SHA256 != "" {
			digests[f.Name] = f.SHA256
		}
	}
	if len(digests) == 0 {
		return nil
	}
	var wrong []error
	for i, f := range files {
		f.SeenSHA256 = digests[first.Files[i].Name]
		if f.SeenSHA256 != f.SHA256 {
			wrong = append(wrong, fmt.Errorf("%s arrived damaged: its SHA-256 is %s, the agent saw %q", f.Name, f.SHA256, f.SeenSHA256))
		}
	}
	return errors.Join(wrong...)
}

// oneLine finds in a workflow's error what the service or an activity said.
func oneLine(err error) error {
	if said, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return errors.New(said.Message())
	}
	return err
}

func keep(ctx context.Context, out io.Writer) {
	fmt.Fprintln(out, "\nEverything is left running. Ctrl-C ends it.")
	<-ctx.Done()
}
