package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/cmd/internal/program"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// whichAgent are the flags that say which agent of a workflow, and which of its askings, is meant.
type whichAgent struct {
	execution, asking string
}

func (a *whichAgent) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&a.execution, "execution", "", "the agent with this execution `id`, if several are meant otherwise")
	flags.StringVar(&a.asking, "asking", "", "only if the agent still asks this `asking`, as asteroid show prints it")
}

// update sends an update to the workflow and waits for its result.
func (w *foundWorkflow) update(ctx context.Context, name string, in any) (*workflows.SteerResult, error) {
	const limit = time.Minute // a handler returns within half of that
	updating, done := context.WithTimeout(ctx, limit)
	defer done()
	handle, err := w.service.UpdateWorkflow(updating, client.UpdateWorkflowOptions{
		WorkflowID: w.id(), UpdateName: name, Args: []any{in}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	var result workflows.SteerResult
	if err == nil {
		err = handle.Get(updating, &result)
	}
	_, refused := errors.AsType[*temporal.ApplicationError](err)
	_, late := errors.AsType[*client.WorkflowUpdateServiceTimeoutOrCanceledError](err)
	_, gone := errors.AsType[*serviceerror.NotFound](err)
	switch {
	case err == nil:
		return &result, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case refused:
		return nil, err
	case gone:
		return nil, fmt.Errorf("workflow %s closed meanwhile: asteroid result %s shows what became of it", w.id(), argument(w.id()))
	case late || isUnreachable(err):
		return nil, codedError{exitTimedOut, fmt.Errorf("no worker of the task queue %s answered within %s: asteroid show %s tells whether the request was carried out", argument(w.queue()), limit, argument(w.id()))}
	default:
		return nil, w.service.failure(err, w.id())
	}
}

// steering is a command that sends an update about one agent of a workflow.
type steering struct {
	which whichAgent
	// meant says which agents the command can be about, and wanted the same in words, as in "waits
	// for a person".
	meant  func(*workflows.AgentState) bool
	wanted string
	// request makes the update. Its error says why the agent takes none.
	request func(w *foundWorkflow, agent *workflows.AgentState) (name string, in any, err error)
	// done says what was done to the agent, as in "is paused".
	done func(*workflows.SteerResult) string
}

// steer sends an update to the workflow and prints what came of it.
func (c *cli) steer(ctx context.Context, workflowID string, command steering) error {
	s, err := c.connect(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	w, state, err := s.openState(ctx, workflowID)
	if err != nil {
		return err
	}
	agent, err := w.pick(state, command.which.execution, command.meant, command.wanted)
	if err != nil {
		return err
	}
	if !steerable(agent) {
		return fmt.Errorf("execution %s cannot be reached any more: %s %s", agent.ExecutionID, nameOf(agent), activity(agent))
	}
	name, in, err := command.request(w, agent)
	if err != nil {
		return err
	}
	result, err := w.update(ctx, name, in)
	if err != nil {
		return err
	}
	return c.print(result, func(out io.Writer) error {
		done := command.done(result)
		if result.Delivering {
			done = fmt.Sprintf("has not been reached yet, and is tried further: asteroid show %s tells what became of it", argument(w.id()))
		}
		_, err := fmt.Fprintf(out, "%s %s (execution %s)\n", nameOf(agent), done, oneLine(result.ExecutionID))
		return err
	})
}

// openState returns an open workflow and what it knows of its agents.
func (s *service) openState(ctx context.Context, workflowID string) (*foundWorkflow, *workflows.State, error) {
	w, err := s.find(ctx, workflowID)
	if err == nil {
		err = w.requireOpen()
	}
	if err != nil {
		return nil, nil, err
	}
	state, err := w.state(ctx)
	return w, state, err
}

func (c *cli) newMessageCommand() *cobra.Command {
	var which whichAgent
	command := &cobra.Command{
		Use:   "message WORKFLOW TEXT",
		Short: "Send a message to an agent at work",
		Long: help("Send a message to an agent at work. TEXT - is read from the standard input.",
			"A message to an agent that asks something would answer that: use asteroid answer, or name the --asking."),
		Args:              usageArgs(cobra.ExactArgs(2)),
		ValidArgsFunction: c.completeWorkflow,
		RunE: func(command *cobra.Command, args []string) error {
			words, err := c.message(args[1])
			if err != nil {
				return err
			}
			return c.steer(command.Context(), args[0], steering{
				which: which, meant: steerable, wanted: "can take a message",
				request: func(w *foundWorkflow, agent *workflows.AgentState) (string, any, error) {
					if waits(agent) && which.asking == "" {
						return "", nil, fmt.Errorf("%s asks %q, and a message would answer it: use asteroid answer %s", nameOf(agent), asked(agent), argument(w.id()))
					}
					return workflows.SendMessageUpdate, workflows.MessageInput{ExecutionID: agent.ExecutionID, Asking: which.asking, Message: words}, nil
				},
				done: func(*workflows.SteerResult) string { return "has the message" },
			})
		},
	}
	which.addFlags(command.Flags())
	return command
}

// message returns a text of the command line, or the standard input's for -.
func (c *cli) message(text string) (string, error) {
	if text == "-" {
		read, err := io.ReadAll(c.in)
		if err != nil {
			return "", usageErrorf("read the standard input: %w", err)
		}
		text = strings.TrimSpace(string(read))
	}
	if strings.TrimSpace(text) == "" {
		return "", usageErrorf("the text is empty: write one")
	}
	return text, nil
}

func (c *cli) newPauseCommand() *cobra.Command {
	var which whichAgent
	command := &cobra.Command{
		Use:               "pause WORKFLOW",
		Short:             "Pause an agent at work",
		Long:              help("Pause an agent at work, until asteroid resume."),
		Args:              usageArgs(cobra.ExactArgs(1)),
		ValidArgsFunction: c.completeWorkflow,
		RunE: func(command *cobra.Command, args []string) error {
			return c.steer(command.Context(), args[0], steering{
				which: which, meant: steerable, wanted: "is at work", done: becomes,
				request: func(_ *foundWorkflow, agent *workflows.AgentState) (string, any, error) {
					return workflows.PauseUpdate, workflows.SteerInput{ExecutionID: agent.ExecutionID, Asking: which.asking}, nil
				},
			})
		},
	}
	which.addFlags(command.Flags())
	return command
}

func becomes(result *workflows.SteerResult) string { return "is " + oneLine(string(result.Status)) }

func (c *cli) newResumeCommand() *cobra.Command {
	var which whichAgent
	command := &cobra.Command{
		Use:   "resume WORKFLOW",
		Short: "Resume a paused agent",
		Long: help("Resume a paused agent, or one whose confirmation was given in the console.",
			"An agent that asks a question is not resumed without an answer, unless --asking names the question."),
		Args:              usageArgs(cobra.ExactArgs(1)),
		ValidArgsFunction: c.completeWorkflow,
		RunE: func(command *cobra.Command, args []string) error {
			stopped := func(agent *workflows.AgentState) bool { return waits(agent) || agent.Phase == workflows.PhasePaused }
			return c.steer(command.Context(), args[0], steering{
				which: which, meant: stopped, wanted: "is paused", done: becomes,
				request: func(w *foundWorkflow, agent *workflows.AgentState) (string, any, error) {
					in := workflows.SteerInput{ExecutionID: agent.ExecutionID, Asking: which.asking}
					if waits(agent) && in.Asking == "" {
						if agent.Status != asteroid.StatusAwaitingConfirmation {
							return "", nil, fmt.Errorf("%s asks %q: answer it with asteroid answer %s", nameOf(agent), asked(agent), argument(w.id()))
						}
						in.Asking = agent.Asking
					}
					return workflows.ResumeUpdate, in, nil
				},
			})
		},
	}
	which.addFlags(command.Flags())
	return command
}

func (c *cli) newCancelCommand() *cobra.Command {
	var execution string
	var timeout time.Duration
	command := &cobra.Command{
		Use:   "cancel WORKFLOW",
		Short: "Cancel a workflow and its agents, or one agent",
		Long: help("Cancel a workflow, and with it its agents, or with --execution the run of one agent only. " +
			"The command returns when they are known to be cancelled. Ctrl-C takes nothing back."),
		Args:              usageArgs(cobra.ExactArgs(1)),
		ValidArgsFunction: c.completeWorkflow,
		RunE: func(command *cobra.Command, args []string) error {
			if timeout <= 0 {
				return usageErrorf("--timeout %s: give a positive time, such as 30s", timeout)
			}
			if execution != "" {
				return c.cancelAgent(command.Context(), args[0], execution, timeout)
			}
			return c.cancelWorkflow(command.Context(), args[0], timeout)
		},
	}
	command.Flags().StringVar(&execution, "execution", "", "cancel only the run with this `id`")
	command.Flags().DurationVar(&timeout, "timeout", 15*time.Minute, "stop waiting after this `time`")
	return command
}

func (c *cli) cancelWorkflow(ctx context.Context, workflowID string, timeout time.Duration) error {
	s, err := c.connect(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	w, err := s.find(ctx, workflowID)
	if err == nil {
		err = w.requireOpen()
	}
	if err != nil {
		return err
	}
	if err := s.CancelWorkflow(ctx, w.id(), w.runID()); err != nil {
		return s.failure(err, w.id())
	}
	if polled, err := s.polled(ctx, w.queue()); err == nil && !polled {
		return fmt.Errorf("the cancellation is requested, but no worker polls the task queue %s: start one (asteroid worker), which carries it out", argument(w.queue()))
	}
	waiting, done := context.WithTimeout(ctx, timeout)
	defer done()
	outcome, err := w.awaitClose(waiting)
	requested := fmt.Sprintf("the cancellation is requested: asteroid show %s tells what became of it", argument(w.id()))
	switch {
	case ctx.Err() != nil:
		return codedError{exitInterrupted, errors.New("interrupted, and " + requested)}
	case waiting.Err() != nil:
		return codedError{exitTimedOut, fmt.Errorf("not cancelled after %s, and %s", timeout, requested)}
	case err != nil:
		return err
	}
	return c.reportCancelled(w, outcome, w.agentsAtEnd(ctx, outcome))
}

// cancelled is what asteroid cancel prints.
type cancelled struct {
	WorkflowID string           `json:"workflowId"`
	Agents     []cancelledAgent `json:"agents,omitempty"`
}

type cancelledAgent struct {
	Agent       string          `json:"agent"`
	ExecutionID string          `json:"executionId,omitempty"`
	Status      asteroid.Status `json:"status,omitempty"`
}

// agentsAtEnd returns what became of the agents of a closed workflow, as far as it is known: a
// worker tells it, else the workflow's own error.
func (w *foundWorkflow) agentsAtEnd(ctx context.Context, outcome error) (agents []cancelledAgent) {
	state, err := w.state(ctx)
	if details, ok := asteroid.DetailsOf(outcome); err != nil && ok {
		return []cancelledAgent{{details.ExecutionID, details.ExecutionID, details.Status}}
	}
	if err != nil {
		return nil
	}
	for i := range state.Agents {
		agent := &state.Agents[i]
		agents = append(agents, cancelledAgent{nameOf(agent), agent.ExecutionID, agent.Status})
	}
	return agents
}

// reportCancelled prints what became of the agents of a workflow that closed after its cancellation
// was requested. A workflow that was not cancelled is an error, and so is an agent that goes on.
func (c *cli) reportCancelled(w *foundWorkflow, outcome error, agents []cancelledAgent) error {
	_, isCancelled := errors.AsType[*temporal.CanceledError](outcome)
	isCancelled = isCancelled || asteroid.IsExecutionCancelled(outcome) ||
		slices.ContainsFunc(agents, func(a cancelledAgent) bool { return a.Status == asteroid.StatusCancelled })
	switch {
	case isCancelled:
	case outcome == nil:
		return fmt.Errorf("workflow %s completed before it could be cancelled: asteroid result %s prints its result", w.id(), argument(w.id()))
	default:
		return fmt.Errorf("workflow %s failed while it was cancelled: %s", w.id(), message(outcome))
	}
	if err := c.print(cancelled{w.id(), agents}, func(out io.Writer) error {
		fmt.Fprintf(out, "Workflow %s is cancelled.\n", oneLine(w.id()))
		for _, agent := range agents {
			fmt.Fprintf(out, "  %s: %s (execution %s)\n", oneLine(agent.Agent), cmp.Or(oneLine(string(agent.Status)), "not started"), cmp.Or(oneLine(agent.ExecutionID), "none"))
		}
		return nil
	}); err != nil {
		return err
	}
	for _, agent := range agents {
		if agent.ExecutionID != "" && !agent.Status.Terminal() {
			return fmt.Errorf("execution %s was %s when last seen: cancel it in the console if the workflow did not mean to leave it running", agent.ExecutionID, agent.Status)
		}
	}
	return nil
}

// cancelAgent cancels the run of one agent, and waits until its workflow knows it.
func (c *cli) cancelAgent(ctx context.Context, workflowID, executionID string, timeout time.Duration) error {
	s, err := c.connect(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	w, state, err := s.openState(ctx, workflowID)
	if err != nil {
		return err
	}
	agent, err := w.pick(state, executionID, steerable, "")
	switch {
	case err != nil:
		return err
	case !steerable(agent):
		return fmt.Errorf("execution %s cannot be cancelled any more: %s %s", agent.ExecutionID, nameOf(agent), activity(agent))
	}
	result, err := w.update(ctx, workflows.CancelUpdate, workflows.SteerInput{ExecutionID: agent.ExecutionID})
	if err != nil {
		return err
	}
	waiting, done := context.WithTimeout(ctx, timeout)
	defer done()
	result.Status, result.Delivering = w.awaitTerminal(waiting, executionID, result.Status), false
	switch {
	case ctx.Err() != nil:
		return codedError{exitInterrupted, fmt.Errorf("interrupted, and the cancellation is requested: asteroid show %s tells what became of it", argument(w.id()))}
	case !result.Status.Terminal():
		return codedError{exitTimedOut, fmt.Errorf("execution %s is not cancelled after %s: asteroid show %s tells what became of it", executionID, timeout, argument(w.id()))}
	case result.Status != asteroid.StatusCancelled:
		return fmt.Errorf("execution %s ended before it could be cancelled: it is %s", executionID, result.Status)
	}
	return c.print(result, func(out io.Writer) error {
		_, err := fmt.Fprintf(out, "%s is cancelled (execution %s)\n", nameOf(agent), oneLine(result.ExecutionID))
		return err
	})
}

// awaitTerminal waits until the workflow knows that an execution with this status has ended, or ctx
// is cancelled, and returns the last known status.
func (w *foundWorkflow) awaitTerminal(ctx context.Context, executionID string, status asteroid.Status) asteroid.Status {
	const pause = time.Second
	for !status.Terminal() && program.Sleep(ctx, pause) {
		state, err := w.state(ctx)
		if err != nil {
			continue // a worker may be away for a moment
		}
		if agent, err := w.pick(state, executionID, steerable, ""); err == nil {
			status = agent.Status
		}
	}
	return status
}
