package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	commonpb "go.temporal.io/api/common/v1"
	enums "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/attributes"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// listSettings are the flags of asteroid list.
type listSettings struct {
	waiting, all  bool
	agent, status string
	limit         int
}

func (c *cli) newListCommand() *cobra.Command {
	var s listSettings
	command := &cobra.Command{
		Use:   "list",
		Short: "List the workflows with agents: who works, who waits for a person",
		Long: help("List the open workflows with agents, the newest first, a line each: the agent that waits for a person, else the last one at work. A batch shows how far it is. With --all, closed ones follow.",
			"The search attributes that asteroid setup creates tell this. Where they do not, the workflows of the types "+
				workflows.RunAgentName+" and "+workflows.PipelineName+" are asked one by one, which needs their workers."),
		Example: "  asteroid list --waiting",
		Args:    usageArgs(cobra.NoArgs),
		RunE:    func(command *cobra.Command, _ []string) error { return c.list(command.Context(), s) },
	}
	flags := command.Flags()
	flags.BoolVar(&s.waiting, "waiting", false, "only those that wait for a person")
	flags.BoolVar(&s.all, "all", false, "closed workflows too")
	flags.StringVar(&s.agent, "agent", "", "only those of the agent with this `name`")
	flags.StringVar(&s.status, "status", "", "only those with this `status`, such as running, paused_by_agent or failed; closed workflows too if it is a final one")
	flags.IntVar(&s.limit, "limit", 50, "at most this `number`")
	_ = command.RegisterFlagCompletionFunc("status", cobra.FixedCompletions([]cobra.Completion{ // fails only for an unknown flag
		string(asteroid.StatusQueued), string(asteroid.StatusStarting), string(asteroid.StatusRunning), string(asteroid.StatusPaused),
		string(asteroid.StatusPausedByAgent), string(asteroid.StatusAwaitingConfirmation),
		string(asteroid.StatusCompleted), string(asteroid.StatusFailed), string(asteroid.StatusCancelled),
	}, cobra.ShellCompDirectiveNoFileComp))
	return command
}

// listed is a workflow in a list.
type listed struct {
	WorkflowID     string    `json:"workflowId"`
	RunID          string    `json:"runId"`
	WorkflowType   string    `json:"workflowType"`
	WorkflowStatus string    `json:"workflowStatus"`
	TaskQueue      string    `json:"taskQueue"`
	Started        time.Time `json:"started"`
	Agent          string    `json:"agent,omitempty"`
	// Status is that of the agent's execution, or its phase until there is one. Of a closed
	// workflow that shows none it is the workflow's.
	Status   string `json:"status,omitempty"`
	Waiting  bool   `json:"waiting,omitempty"`
	Question string `json:"question,omitempty"`
	// Progress is how far a batch is.
	Progress string `json:"progress,omitempty"`
	// Problem says why the workflow does not tell what its agents do.
	Problem string `json:"problem,omitempty"`

	info    *workflowpb.WorkflowExecutionInfo
	agentID string
	unknown bool // its search attributes do not tell what its agents do
}

func (c *cli) list(ctx context.Context, settings listSettings) error {
	if settings.limit < 1 {
		return usageErrorf("--limit %d: give at least 1", settings.limit)
	}
	s, err := c.connect(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	shown, err := s.usableAttributes(ctx)
	if err != nil {
		return err
	}
	rows, more, err := s.list(ctx, settings, shown)
	if err != nil {
		return err
	}
	if len(shown.Names()) == 0 {
		fmt.Fprintf(c.err, "Namespace %s has no search attributes for agents, so workflows are asked one by one, and only those of the types %s and %s: asteroid setup creates them.\n",
			argument(s.namespace), workflows.RunAgentName, workflows.PipelineName)
	}
	if more {
		fmt.Fprintf(c.err, "There are more: --limit %d shows them.\n", 4*settings.limit)
	}
	return c.print(rows, func(out io.Writer) error {
		if len(rows) == 0 {
			_, err := fmt.Fprintln(out, "No workflow fits.")
			return err
		}
		var table [][]string
		for _, row := range rows {
			table = append(table, []string{
				oneLine(row.WorkflowID), cmp.Or(cell(row.Agent), "-"), cmp.Or(cell(row.Status), "-"), ago(row.Started), cell(cmp.Or(row.Question, row.Progress, row.Problem)),
			})
		}
		return printTable(out, []string{"WORKFLOW", "AGENT", "STATUS", "STARTED", "QUESTION OR PROGRESS"}, table)
	})
}

// usableAttributes returns the default search attributes that the namespace has.
func (s *service) usableAttributes(ctx context.Context) (asteroid.SearchAttributes, error) {
	types, err := attributes.List(ctx, s, s.namespace)
	if err != nil {
		return asteroid.SearchAttributes{}, s.failure(err, "")
	}
	return asteroid.DefaultSearchAttributes().Only(func(name string) bool {
		return types[name] == enums.INDEXED_VALUE_TYPE_KEYWORD
	}), nil
}

// list returns the rows that fit, and whether there are more.
func (s *service) list(ctx context.Context, settings listSettings, shown asteroid.SearchAttributes) (rows []*listed, more bool, err error) {
	rows = []*listed{}
	request := &workflowservice.ListWorkflowExecutionsRequest{Query: settings.query(shown), PageSize: int32(min(settings.limit+1, 200))} //nolint:gosec // at most 200
	for {
		page, err := s.ListWorkflow(ctx, request)
		if err != nil {
			return nil, false, s.failure(err, "")
		}
		found := make([]*listed, len(page.GetExecutions()))
		for i, info := range page.GetExecutions() {
			found[i] = newListed(info, shown)
		}
		s.askWorkflows(ctx, found)
		for _, row := range found {
			if !settings.fits(row) {
				continue
			}
			if len(rows) == settings.limit {
				return rows, true, nil
			}
			rows = append(rows, row)
		}
		if request.NextPageToken = page.GetNextPageToken(); len(request.NextPageToken) == 0 || ctx.Err() != nil {
			return rows, false, ctx.Err()
		}
	}
}

// query returns the query of the list. Workflows whose search attributes tell nothing are included
// by type: fits decides when they have been asked.
func (s *listSettings) query(shown asteroid.SearchAttributes) string {
	types := fmt.Sprintf("WorkflowType IN (%s, %s)", queryText(workflows.RunAgentName), queryText(workflows.PipelineName))
	query := types
	if shown.Agent != "" {
		told := []string{shown.Agent + " IS NOT NULL"}
		if s.agent != "" {
			told[0] = shown.Agent + " = " + queryText(s.agent)
		}
		if s.status != "" && shown.Status != "" {
			told = append(told, shown.Status+" = "+queryText(s.status))
		}
		if s.waiting && shown.Question != "" {
			told = append(told, shown.Question+" IS NOT NULL")
		}
		query = fmt.Sprintf("(%s OR %s IS NULL AND %s)", strings.Join(told, " AND "), shown.Agent, types)
	}
	if !s.all && (!asteroid.Status(s.status).Terminal() || s.waiting) {
		query += " AND ExecutionStatus = 'Running'"
	}
	return query
}

// queryText returns a text as the query language takes it.
func queryText(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

func newListed(info *workflowpb.WorkflowExecutionInfo, shown asteroid.SearchAttributes) *listed {
	fields := info.GetSearchAttributes().GetIndexedFields()
	row := &listed{
		WorkflowID: info.GetExecution().GetWorkflowId(), RunID: info.GetExecution().GetRunId(), WorkflowType: info.GetType().GetName(),
		WorkflowStatus: info.GetStatus().String(), TaskQueue: info.GetTaskQueue(), Started: info.GetStartTime().AsTime(),
		Agent: keyword(fields[shown.Agent]), Status: keyword(fields[shown.Status]), Question: keyword(fields[shown.Question]), Progress: keyword(fields[shown.Progress]), info: info,
	}
	closed := info.GetStatus() != enums.WORKFLOW_EXECUTION_STATUS_RUNNING
	// A workflow that was terminated, or timed out, could not unset what it had shown.
	if closed && !asteroid.Status(row.Status).Terminal() {
		row.Status, row.Question = closedStatus(info.GetStatus()), ""
	}
	row.Waiting = row.Question != "" || asteroid.Status(row.Status).NeedsHuman()
	row.unknown = row.Agent == "" && !closed
	return row
}

// keyword decodes the value of a search attribute; nil is none.
func keyword(payload *commonpb.Payload) (value string) {
	_ = converter.GetDefaultDataConverter().FromPayload(payload, &value) // one of another type shows nothing
	return value
}

// closedStatus returns how a workflow ended, in the words of executions where they have one.
func closedStatus(status enums.WorkflowExecutionStatus) string {
	if status == enums.WORKFLOW_EXECUTION_STATUS_CANCELED {
		return string(asteroid.StatusCancelled)
	}
	return strings.ToLower(status.String())
}

// askWorkflows queries the workflows whose search attributes tell nothing, eight at once.
func (s *service) askWorkflows(ctx context.Context, rows []*listed) {
	const atOnce = 8
	var idle sync.Map // the problems of task queues, by name
	var group sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for _, row := range rows {
		if !row.unknown {
			continue
		}
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			if problem, known := idle.Load(row.TaskQueue); known {
				row.Problem, _ = problem.(string)
				return
			}
			w := &foundWorkflow{service: s, info: row.info}
			state, err := w.state(ctx)
			if err != nil {
				row.Problem = message(err)
				if strings.Contains(row.Problem, "no worker") {
					idle.Store(row.TaskQueue, row.Problem)
				}
				return
			}
			row.show(state)
		})
	}
	group.Wait()
}

// show takes over what the workflow says of its agents.
func (row *listed) show(state *workflows.State) {
	agent := shownAgent(state)
	if agent == nil {
		row.Status = "starting"
		return
	}
	row.Agent, row.agentID = cmp.Or(agent.AgentName, agent.AgentID), agent.AgentID
	row.Status, row.Waiting = cmp.Or(string(agent.Status), string(agent.Phase)), waits(agent)
	if row.Waiting {
		row.Question = asked(agent)
	}
}

// fits reports whether the row is to be listed. One that could not be asked is, unless a filter
// asks for what is not known of it.
func (s *listSettings) fits(row *listed) bool {
	return (s.agent == "" || slices.Contains([]string{row.Agent, row.agentID}, s.agent)) &&
		(s.status == "" || row.Status == s.status) &&
		(!s.waiting || row.Waiting)
}

// completeWorkflow completes the id of an open workflow with agents.
func (c *cli) completeWorkflow(command *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
	const patience = 3 * time.Second
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, done := context.WithTimeout(command.Context(), patience)
	defer done()
	s, err := c.connect(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	defer s.Close()
	var ids []cobra.Completion
	settings := listSettings{}
	shown, _ := s.usableAttributes(ctx) // without them, by type
	page, err := s.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: settings.query(shown), PageSize: 200})
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	for _, info := range page.GetExecutions() {
		if id := info.GetExecution().GetWorkflowId(); strings.HasPrefix(id, prefix) && oneLine(id) == id {
			ids = append(ids, id)
		}
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}
