package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// runDemo runs the agents and prints their results.
func runDemo(ctx context.Context, settings settings, stdout, stderr io.Writer) error {
	sample := len(settings.files) == 0 && !settings.live
	if sample {
		paths, remove, err := sampleFiles()
		if err != nil {
			return fmt.Errorf("write the sample files: %w", err)
		}
		defer remove()
		settings.files = paths
		if settings.batch {
			settings.files = paths[:1] // the table
		}
	}
	files, err := openFiles(settings.files)
	if err != nil {
		return err
	}
	if settings.batch && settings.save == "" {
		if settings.save, err = os.MkdirTemp("", "asteroid-demo-results-"); err != nil {
			return fmt.Errorf("make a directory for the results: %w", err)
		}
		defer func() { _ = os.Remove(settings.save) }() // fails, and should, once it holds results
	}
	log := stdout
	if settings.json {
		log = stderr
	}
	display := newDisplay(log)
	defer display.Stop()
	s, err := startStack(ctx, settings, files, display)
	if err != nil {
		return err
	}
	defer s.close()
	ctx, serverExited := context.WithCancelCause(ctx)
	defer serverExited(nil)
	go func() {
		select {
		case <-s.server.Exited():
			serverExited(errServerExited)
		case <-ctx.Done():
		}
	}()
	s.announce(display)
	if settings.batch {
		return s.runBatch(ctx, settings, s.batchInput(settings, files[0], sample), display, stdout, log)
	}

	began := time.Now()
	run, err := s.start(ctx, settings, files)
	if err != nil {
		return fmt.Errorf("start the workflow: %w", err)
	}
	page := s.started(run, display)
	result := new(workflows.PipelineResult)
	err = s.follow(ctx, run, result, s.showState, display)
	display.Stop()
	if err != nil {
		return failed(ctx, settings, err, log)
	}
	summary := report{
		WorkflowID: run.GetID(), RunID: run.GetRunID(), Executions: s.executions(result), Files: files,
		UIURL: page, ElapsedSeconds: time.Since(began).Round(time.Millisecond).Seconds(),
	}
	summary.Temporal, summary.Fake = s.endpoints()
	mismatch := compareDigests(files, result)
	if settings.json {
		if err := json.NewEncoder(stdout).Encode(summary); err != nil {
			return err
		}
	} else {
		summary.print(stdout)
	}
	return errors.Join(mismatch, s.next(ctx, settings, page, log))
}

// started shows that a workflow has started, and returns its page; empty if it is unknown.
func (s *stack) started(run client.WorkflowRun, display *display) (page string) {
	page = s.server.WorkflowURL(run.GetID(), run.GetRunID())
	text := "workflow " + run.GetID() + " started"
	if page != "" {
		text += "; its page tells the story: " + page
	}
	display.Phase(text)
	return page
}

// failed returns the error of a workflow. With --keep it does so after an interrupt.
func failed(ctx context.Context, settings settings, err error, log io.Writer) error {
	if !settings.keep || ctx.Err() != nil {
		return err
	}
	fmt.Fprintf(log, "Failed: %v\n", err)
	return errors.Join(err, awaitInterrupt(ctx, log))
}

// announce shows where everything listens.
func (s *stack) announce(display *display) {
	temporal, fake := s.endpoints()
	text := "Temporal: " + temporal.Address + ", namespace " + temporal.Namespace + ", task queue " + temporal.TaskQueue
	if ui := s.server.UIURL(); ui != "" {
		text += ", web UI " + ui
	}
	display.Phase(text)
	if fake == nil {
		display.Phase("the Asteroid API of the environment, with ASTEROID_API_KEY")
	} else {
		display.Phase("a fake of the Asteroid API: " + fake.BaseURL + ", key " + fake.APIKey)
	}
}

// next says what to do next. With --keep it has an agent ask a person, and returns after an
// interrupt.
func (s *stack) next(ctx context.Context, settings settings, page string, out io.Writer) error {
	if page != "" && (settings.keep || !s.server.Own()) {
		fmt.Fprintf(out, "Its page: %s\n", page)
	}
	if !settings.keep {
		fmt.Fprintln(out, "\nEverything that the demo started stops now. With --keep it runs on, and an agent waits for your answer.")
		return nil
	}
	if s.fake != nil {
		cancel, err := s.offerQuestion(ctx, out)
		if err != nil {
			return err
		}
		defer cancel()
	}
	return awaitInterrupt(ctx, out)
}

var errServerExited = errors.New("the Temporal server has exited")

// awaitInterrupt returns after an interrupt, or with an error if the Temporal server exits.
func awaitInterrupt(ctx context.Context, out io.Writer) error {
	fmt.Fprintln(out, "\nEverything keeps running. Press Ctrl-C to stop it.")
	<-ctx.Done()
	if err := context.Cause(ctx); errors.Is(err, errServerExited) {
		return err
	}
	fmt.Fprintln(out, "\nStopping.")
	return nil
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
			step.Collect = &workflows.Collect{Destination: settings.destination()}
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
		ID:            workflowID("asteroid-demo"),
		TaskQueue:     s.taskQueue,
		StaticSummary: summary,
		StaticDetails: "Each agent starts from the execution id, the result and the downloads of the agent before it.",
	}, workflows.PipelineName, pipeline)
}

// workflowID returns an id that no other start of the demo uses.
func workflowID(prefix string) string {
	return prefix + "-" + time.Now().UTC().Format("20060102-150405.000")
}

func fileNames(files []*localFile) string {
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = f.Name
	}
	return strings.Join(names, ", ")
}

// cancelTimeout bounds how long an interrupted demo waits until the agents' runs are cancelled.
const cancelTimeout = 20 * time.Second

// showing shows what has changed in a workflow's state.
type showing func(ctx context.Context, run client.WorkflowRun, display *display)

// follow shows the progress of the agents until the workflow is closed, and stores its result. An
// interrupt cancels the workflow and with it the agents, which would otherwise run on and cost
// money at the real API.
func (s *stack) follow(ctx context.Context, run client.WorkflowRun, result any, show showing, display *display) error {
	polling, stop := context.WithCancel(ctx)
	defer stop()
	go pollState(polling, run, show, display)

	err := run.Get(ctx, result)
	if err == nil {
		stop()
		show(ctx, run, display) // changes since the last poll
		return nil
	}
	if ctx.Err() != nil {
		display.Phase("cancelling what is at work")
		s.cancelRun(ctx, run)
		return context.Cause(ctx)
	}
	return applicationError(err)
}

// cancelRun cancels a workflow, if it is still open, and waits until its agents' runs are
// cancelled. The id alone names it, since it may have continued as new.
func (s *stack) cancelRun(ctx context.Context, run client.WorkflowRun) {
	if errors.Is(context.Cause(ctx), errServerExited) {
		return
	}
	cancelling, done := context.WithTimeout(context.WithoutCancel(ctx), cancelTimeout)
	defer done()
	if s.temporal.CancelWorkflow(cancelling, run.GetID(), "") == nil {
		_ = run.Get(cancelling, nil)
	}
}

// pollState shows the workflow's state every 300 milliseconds.
func pollState(ctx context.Context, run client.WorkflowRun, show showing, display *display) {
	ticker := time.NewTicker(300 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			show(ctx, run, display)
		}
	}
}

// showState queries the workflow's state and shows what has changed.
func (s *stack) showState(ctx context.Context, run client.WorkflowRun, display *display) {
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
