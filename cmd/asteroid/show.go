package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/workflows"
)

func (c *cli) newShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show WORKFLOW",
		Short: "Show a workflow's agents: what they do, what they ask, what they returned",
		Long: help("Show a workflow and its agents: what they do, what they ask, what they returned. " +
			"Any workflow that runs agents answers. Without a worker, only what Temporal knows of the workflow is shown."),
		Args:              usageArgs(cobra.ExactArgs(1)),
		ValidArgsFunction: c.completeWorkflow,
		RunE: func(command *cobra.Command, args []string) error {
			ctx := command.Context()
			s, err := c.connect(ctx)
			if err != nil {
				return err
			}
			defer s.Close()
			w, err := s.find(ctx, args[0])
			if err != nil {
				return err
			}
			state, problem := w.state(ctx)
			page := newShownWorkflow(w, state)
			if err := c.print(page, page.print); err != nil {
				return err
			}
			return problem
		},
	}
}

// shownWorkflow is what asteroid show prints.
type shownWorkflow struct {
	WorkflowID     string    `json:"workflowId"`
	RunID          string    `json:"runId"`
	WorkflowType   string    `json:"workflowType"`
	WorkflowStatus string    `json:"workflowStatus"`
	TaskQueue      string    `json:"taskQueue"`
	Started        time.Time `json:"started"`
	Closed         time.Time `json:"closed,omitzero"`
	// Retrying is why an activity is being retried.
	Retrying string           `json:"retrying,omitempty"`
	State    *workflows.State `json:"state,omitempty"`
}

func newShownWorkflow(w *foundWorkflow, state *workflows.State) *shownWorkflow {
	page := &shownWorkflow{
		WorkflowID: w.id(), RunID: w.runID(), WorkflowType: w.info.GetType().GetName(), WorkflowStatus: w.info.GetStatus().String(),
		TaskQueue: w.queue(), Started: w.info.GetStartTime().AsTime(), Retrying: w.retrying(), State: state,
	}
	if closed := w.info.GetCloseTime(); closed != nil {
		page.Closed = closed.AsTime()
	}
	return page
}

func (p *shownWorkflow) print(out io.Writer) error {
	fmt.Fprintln(out, "Workflow "+oneLine(p.WorkflowID))
	field(out, "Type", oneLine(p.WorkflowType))
	field(out, "Status", p.WorkflowStatus)
	field(out, "Task queue", oneLine(p.TaskQueue))
	field(out, "Started", moment(p.Started))
	field(out, "Closed", moment(p.Closed))
	field(out, "Retrying", oneLine(p.Retrying))
	if !p.Closed.IsZero() {
		field(out, "Result", "asteroid result "+argument(p.WorkflowID))
	}
	if p.State == nil {
		return nil
	}
	if p.State.Omitted > 0 {
		field(out, "Agents", fmt.Sprintf("%d earlier ones are left out", p.State.Omitted))
	}
	for i := range p.State.Agents {
		p.printAgent(out, &p.State.Agents[i])
	}
	return nil
}

func (p *shownWorkflow) printAgent(out io.Writer, agent *workflows.AgentState) {
	fmt.Fprintf(out, "\nAgent %s %s\n", nameOf(agent), activity(agent))
	field(out, "Execution", oneLine(agent.ExecutionID))
	field(out, "Statuses", statuses(agent.Statuses))
	field(out, "Since", moment(agent.Since))
	field(out, "Unreadable", moment(agent.UnreadableSince))
	if !waits(agent) {
		field(out, "Reason", oneLine(agent.Reason))
	}
	field(out, "Error", oneLine(agent.Error))
	for _, file := range agent.Files {
		field(out, "Got", fmt.Sprintf("%s  %s", oneLine(file.Name), size(file.Size)))
	}
	printFiles(out, agent.Outputs)
	field(out, "Page", oneLine(agent.PlatformURL))
	if atWork(agent) {
		field(out, "Live view", oneLine(agent.LiveViewURL))
	} else {
		field(out, "Recording", oneLine(agent.RecordingURL))
	}
	if waits(agent) {
		printQuestions(out, agent)
		field(out, "Asking", oneLine(agent.Asking))
		field(out, "Answer", latestAnswer(agent))
		field(out, "Do", p.whatToDo(agent))
	}
}

// whatToDo returns the command that lets an agent go on.
func (p *shownWorkflow) whatToDo(agent *workflows.AgentState) string {
	which := argument(p.WorkflowID)
	if len(p.State.Agents) > 1 {
		which += " --execution " + argument(agent.ExecutionID)
	}
	switch {
	case agent.Asking == "":
		return "what the agent asks cannot be read yet: try again, or answer in the console"
	case agent.Status == asteroid.StatusAwaitingConfirmation:
		return "approve in the console, then asteroid resume " + which
	default:
		return "asteroid answer " + which
	}
}

// printQuestions prints what the agent asks, with numbered options.
func printQuestions(out io.Writer, agent *workflows.AgentState) {
	if len(agent.Questions) == 0 {
		field(out, "Asks", asked(agent))
	}
	for _, q := range agent.Questions {
		field(out, "Asks", strings.TrimPrefix(oneLine(q.Header)+": ", ": ")+oneLine(q.Question))
		printOptions(out, q)
	}
}

func printOptions(out io.Writer, q asteroid.Question) {
	for i, option := range q.Options {
		fmt.Fprintf(out, "%16d  %s\n", i+1, strings.TrimSuffix(oneLine(option.Label)+": "+oneLine(option.Description), ": "))
	}
}

// latestAnswer says what became of the answer to what the agent asks.
func latestAnswer(agent *workflows.AgentState) string {
	sent := agent.Answer
	if sent == nil || sent.Asking != agent.Asking {
		return ""
	}
	text := fmt.Sprintf("%q %s", oneLine(sent.Message), ago(sent.Since))
	switch {
	case sent.Error != "":
		return text + " failed: " + oneLine(sent.Error)
	case sent.Delivered:
		return text + ", delivered"
	default:
		return text + ", being delivered"
	}
}

// statuses returns the latest statuses, in the order in which the execution had them.
func statuses(had []workflows.StatusTime) string {
	const most = 8
	var shown []string
	for i, status := range had {
		if len(had)-i <= most {
			shown = append(shown, oneLine(string(status.Status)))
		}
	}
	return strings.Join(shown, ", ")
}

// moment returns a time with how long ago it was; empty for the zero time.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format(time.DateTime) + " (" + ago(t) + ")"
}
