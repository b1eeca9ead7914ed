package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/workflows"
)

func (c *cli) newLimitsCommand() *cobra.Command {
	command := &cobra.Command{
		Use: "limits", Short: "Show and change who holds the permits of limits, such as logins",
		Long: help("Show and change who holds the permits of limits. A run of an agent with a limit waits until one of the limit's permits is free."),
		Args: usageArgs(cobra.NoArgs),
		RunE: func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	var connection string
	command.PersistentFlags().StringVar(&connection, "connection", "", "the `name` of the connection whose limit it is (default \""+asteroid.DefaultConnection+"\")")
	command.AddCommand(
		&cobra.Command{
			Use: "list", Short: "List the limits that are in use", Args: usageArgs(cobra.NoArgs),
			RunE: func(command *cobra.Command, _ []string) error { return c.listLimits(command.Context()) },
		},
		&cobra.Command{
			Use: "show KEY", Short: "Show who holds a limit's permits, and who waits", Args: usageArgs(cobra.ExactArgs(1)),
			Example: "  asteroid limits show " + asteroid.ProfileLimitKey("7d0f6f0e-6a0a-4c43-93b5-9a1f0e6b8a55"),
			RunE: func(command *cobra.Command, args []string) error {
				return c.withLimiter(command.Context(), connection, args[0], c.showLimit)
			},
		},
		&cobra.Command{
			Use: "set KEY MAX", Short: "Set how many permits a limit has, whatever the runs say; 0 lets the runs say again", Args: usageArgs(cobra.ExactArgs(2)),
			RunE: func(command *cobra.Command, args []string) error {
				most, err := strconv.Atoi(args[1])
				if err != nil || most < 0 {
					return usageErrorf("MAX %q: give a number, or 0", args[1])
				}
				return c.updateLimit(command.Context(), connection, args[0], asteroid.SetLimitUpdate, asteroid.SetLimitInput{Max: most})
			},
		},
		&cobra.Command{
			Use: "free KEY TOKEN", Short: "Take a permit from its holder, who is not told", Args: usageArgs(cobra.ExactArgs(2)),
			Long: help("Take a permit from its holder, who is not told and works on. The limiter finds by itself, within a minute, that a holder was terminated. asteroid limits show tells the tokens."),
			RunE: func(command *cobra.Command, args []string) error {
				return c.updateLimit(command.Context(), connection, args[0], asteroid.FreePermitUpdate, asteroid.FreePermitInput{Token: args[1]})
			},
		},
	)
	return command
}

// withLimiter calls do with the limiter of a key.
func (c *cli) withLimiter(ctx context.Context, connection, key string, do func(ctx context.Context, w *foundWorkflow) error) error {
	if profileID, ok := strings.CutPrefix(key, asteroid.ProfileLimitKey("")); ok {
		key = asteroid.ProfileLimitKey(profileID) // whatever the letter case
	}
	s, err := c.connect(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	found, err := s.find(ctx, asteroid.LimiterWorkflowID(connection, key))
	if codeOf(ctx, err) == exitNotFound || err == nil && !found.open() {
		return notFoundErrorf("nobody holds or wants a permit of %s at connection %s: asteroid limits list shows the limits in use",
			argument(key), argument(cmp.Or(connection, asteroid.DefaultConnection)))
	}
	if err != nil {
		return err
	}
	return do(ctx, found)
}

func (c *cli) showLimit(ctx context.Context, w *foundWorkflow) error {
	state, err := w.limiterState(ctx)
	if err != nil {
		return err
	}
	return c.printLimit(state)
}

// limiterState asks the limiter for its state. A worker has to answer.
func (w *foundWorkflow) limiterState(ctx context.Context) (state asteroid.LimiterState, err error) {
	if polled, err := w.service.polled(ctx, w.queue()); err == nil && !polled {
		return state, noWorker(w.queue())
	}
	ctx, done := context.WithTimeout(ctx, queryTimeout)
	defer done()
	value, err := w.service.QueryWorkflow(ctx, w.id(), "", workflows.StateQuery) // it may have continued as new
	if err != nil {
		return state, w.service.failure(err, w.id())
	}
	return state, value.Get(&state)
}

func (c *cli) updateLimit(ctx context.Context, connection, key, update string, in any) error {
	return c.withLimiter(ctx, connection, key, func(ctx context.Context, w *foundWorkflow) error {
		if polled, err := w.service.polled(ctx, w.queue()); err == nil && !polled {
			return noWorker(w.queue())
		}
		state, err := w.updateLimiter(ctx, update, in)
		switch {
		case asteroid.IsNotFound(err):
			return notFoundErrorf("nobody with this token holds or wants a permit: asteroid limits show %s tells the tokens", argument(key))
		case asteroid.IsInvalidInput(err):
			return usageErrorf("%s", message(err))
		case err != nil:
			return w.service.failure(err, w.id())
		}
		return c.printLimit(state)
	})
}

func (w *foundWorkflow) updateLimiter(ctx context.Context, update string, in any) (state asteroid.LimiterState, err error) {
	handle, err := w.service.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{ // whichever its run is now
		WorkflowID: w.id(), UpdateName: update, Args: []any{in}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = handle.Get(ctx, &state)
	}
	return state, err
}

func (c *cli) printLimit(state asteroid.LimiterState) error {
	return c.print(state, func(out io.Writer) error {
		field(out, "Limit", cell(state.Key))
		field(out, "Connection", cell(state.Connection))
		permits := fmt.Sprintf("%d of %d held", len(state.Holders), state.Max)
		if state.MaxSet {
			permits += ", set by an operator"
		}
		field(out, "Permits", permits)
		field(out, "Waiting", strconv.Itoa(state.Waiting))
		var rows [][]string
		add := func(what string, holders []asteroid.PermitHolder) {
			for _, h := range holders {
				rows = append(rows, []string{what, oneLine(h.WorkflowID), cmp.Or(cell(h.FairnessKey), "-"), ago(h.Since), oneLine(h.Token)})
			}
		}
		add("holds", state.Holders)
		add("waits", state.Next)
		if len(rows) == 0 {
			return nil
		}
		if _, err := fmt.Fprintln(out); err != nil {
			return err
		}
		return printTable(out, []string{"", "WORKFLOW", "FAIRNESS KEY", "SINCE", "TOKEN"}, rows)
	})
}

// maxListedLimits bounds the limiters that a list asks.
const maxListedLimits = 200

func (c *cli) listLimits(ctx context.Context) error {
	s, err := c.connect(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	page, err := s.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Query:    fmt.Sprintf("WorkflowType = %s AND ExecutionStatus = 'Running'", queryText(workflows.LimiterName)),
		PageSize: maxListedLimits,
	})
	if err != nil {
		return s.failure(err, "")
	}
	if len(page.GetNextPageToken()) > 0 {
		fmt.Fprintf(c.err, "There are more than %d limits in use: the rest is not shown.\n", maxListedLimits)
	}
	limits := []listedLimit{}
	for _, info := range page.GetExecutions() {
		w := &foundWorkflow{service: s, info: info}
		listed := listedLimit{Limiter: w.id(), TaskQueue: w.queue()}
		state, err := w.limiterState(ctx)
		if err == nil {
			listed.LimiterState = &state
		} else {
			listed.Error = message(err)
			fmt.Fprintf(c.err, "%s does not answer: %s\n", oneLine(listed.Limiter), listed.Error)
		}
		limits = append(limits, listed)
	}
	return c.print(limits, func(out io.Writer) error {
		if len(limits) == 0 {
			_, err := fmt.Fprintln(out, "No limit is in use.")
			return err
		}
		var rows [][]string
		for _, l := range limits {
			row := []string{oneLine(l.Limiter), "-", "-", "-", cell(l.TaskQueue)}
			if state := l.LimiterState; state != nil {
				row = []string{cell(state.Key), cell(state.Connection), fmt.Sprintf("%d of %d", len(state.Holders), state.Max), strconv.Itoa(state.Waiting), cell(l.TaskQueue)}
			}
			rows = append(rows, row)
		}
		return printTable(out, []string{"LIMIT", "CONNECTION", "HELD", "WAITING", "TASK QUEUE"}, rows)
	})
}

// listedLimit is a limiter in a list. One that does not answer has no state, and an Error.
type listedLimit struct {
	*asteroid.LimiterState
	Limiter   string `json:"limiter"` // workflow id
	TaskQueue string `json:"taskQueue"`
	Error     string `json:"error,omitempty"`
}
