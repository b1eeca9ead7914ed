package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid"
)

// agentsSettings say which workers are asked about agents.
type agentsSettings struct {
	connection, taskQueue string
}

func (s *agentsSettings) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&s.connection, "connection", "", "use the worker's connection with this `name` (default: default)")
	flags.StringVar(&s.taskQueue, "task-queue", defaultTaskQueue, "ask the workers of this task `queue`")
}

// newAgentsCommand returns the command that lists agents, as its subcommand does.
func (c *cli) newAgentsCommand() *cobra.Command {
	command := c.newAgentsListCommand()
	command.Use, command.Short = "agents", "List the agents, and show what one takes and returns"
	command.AddCommand(c.newAgentsListCommand(), c.newAgentsShowCommand())
	return command
}

func (c *cli) newAgentsListCommand() *cobra.Command {
	var s agentsSettings
	var search string
	command := &cobra.Command{
		Use: "list", Short: "List the agents that the worker's key sees",
		Long: help("List the agents that the worker's key sees."),
		Args: usageArgs(cobra.NoArgs),
		RunE: func(command *cobra.Command, _ []string) error {
			var listed asteroid.ListAgentsResult
			err := c.ask(command.Context(), s.taskQueue, asteroid.ListAgentsName, asteroid.ListAgentsInput{Connection: s.connection, SearchName: search}, &listed)
			if err != nil {
				return err
			}
			return c.print(listed, func(out io.Writer) error {
				var rows [][]string
				for _, agent := range listed.Agents {
					rows = append(rows, []string{cell(agent.Name), oneLine(agent.AgentID), ago(agent.CreatedAt)})
				}
				if err := printTable(out, []string{"NAME", "AGENT", "CREATED"}, rows); err != nil || !listed.Incomplete {
					return err
				}
				_, err := fmt.Fprintln(out, "There are more: --search narrows the list.")
				return err
			})
		},
	}
	s.addFlags(command.Flags())
	command.Flags().StringVar(&search, "search", "", "only agents whose name contains this `text`")
	return command
}

func (c *cli) newAgentsShowCommand() *cobra.Command {
	var s agentsSettings
	var version int
	command := &cobra.Command{
		Use: "show AGENT", Short: "Show what a version of an agent takes and returns",
		Long: help("Show the inputs, the outputs and the hard timeout of a version of the agent with the id or the name AGENT."),
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(command *cobra.Command, args []string) error {
			described, err := c.describe(command.Context(), s, args[0], version)
			if err != nil {
				return err
			}
			return c.print(described, func(out io.Writer) error { return printDescription(out, described) })
		},
		ValidArgsFunction: c.completeAgents(&s),
	}
	s.addFlags(command.Flags())
	command.Flags().IntVar(&version, "agent-version", 0, "show this `version` (default: the published one)")
	return command
}

// describe asks a worker about a version of an agent; 0 is the published one.
func (c *cli) describe(ctx context.Context, s agentsSettings, agentID string, version int) (*asteroid.AgentDescription, error) {
	in := asteroid.DescribeAgentInput{Connection: s.connection}
	var err error
	if in.AgentID, err = c.agentID(ctx, s, agentID); err != nil {
		return nil, err
	}
	if version != 0 {
		in.Version = &version
	}
	if err := in.Validate(); err != nil {
		return nil, usageErrorf("%w", err)
	}
	var described asteroid.AgentDescription
	if err := c.ask(ctx, s.taskQueue, asteroid.DescribeAgentName, in, &described); err != nil {
		return nil, err
	}
	if described.Unsupported {
		return nil, errors.New("the service does not tell what its agents take and return")
	}
	return &described, nil
}

func printDescription(out io.Writer, d *asteroid.AgentDescription) error {
	published := ""
	if d.Published {
		published = ", which is published"
	}
	fmt.Fprintf(out, "Agent %s, version %d%s\n", oneLine(d.AgentID), d.Version, published)
	if d.HardTimeoutMinutes > 0 {
		field(out, "Ends after", fmt.Sprintf("%d minutes at the latest", d.HardTimeoutMinutes))
	}
	if len(d.Inputs) == 0 {
		fmt.Fprintln(out, "\nIt takes no inputs.")
	} else {
		var rows [][]string
		for _, in := range d.Inputs {
			needed := "optional"
			switch {
			case in.HasDefault:
				needed = "default " + cell(string(in.Default))
			case in.Required:
				needed = "required"
			}
			rows = append(rows, []string{cell(in.Name), typeName(in.Schema), needed, cell(in.Description)})
		}
		fmt.Fprintln(out)
		if err := printTable(out, []string{"INPUT", "TYPE", "", "DESCRIPTION"}, rows); err != nil {
			return err
		}
	}
	for _, output := range d.Outputs {
		schema := "any value"
		if len(output.Schema) > 0 {
			text, err := indented(output.Schema)
			if err != nil {
				return err
			}
			schema = strings.TrimSpace(strings.ReplaceAll(text, "\n", "\n  "))
		}
		fmt.Fprintf(out, "\nOutput %s\n  %s\n", cell(output.Node), schema)
	}
	if d.Incomplete {
		fmt.Fprintln(out, "\nThe description was too large; a part of it is left out.")
	}
	return nil
}

// typeName returns the type of a schema, as a table shows it.
func typeName(schema json.RawMessage) string {
	var members struct {
		Type any   `json:"type"`
		Enum []any `json:"enum"`
	}
	if json.Unmarshal(schema, &members) != nil {
		return "any"
	}
	switch types := members.Type.(type) {
	case string:
		return cell(types)
	case []any:
		var names []string
		for _, name := range types {
			names = append(names, fmt.Sprint(name))
		}
		return cell(strings.Join(names, " or "))
	}
	if len(members.Enum) > 0 {
		return "enum"
	}
	return "any"
}

// askTimeout bounds an activity that answers a question about agents.
const askTimeout = 30 * time.Second

// ask runs an activity on a worker of the task queue and decodes its result.
func (c *cli) ask(ctx context.Context, taskQueue, activity string, in, result any) error {
	s, err := c.connect(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	handle, err := s.startActivity(ctx, client.StartActivityOptions{
		ID: "asteroid-ask-" + uuid.NewString(), TaskQueue: taskQueue, StartToCloseTimeout: askTimeout, ScheduleToCloseTimeout: askTimeout,
		Summary: "Answer a command line",
	}, activity, in, "")
	if err != nil {
		return err
	}
	return handle.Get(ctx, result)
}

// completionTimeout bounds what a shell waits for.
const completionTimeout = 3 * time.Second

// completeAgents completes the id of an agent. Without a worker it completes nothing.
func (c *cli) completeAgents(s *agentsSettings) cobra.CompletionFunc {
	return func(command *cobra.Command, args []string, _ string) (found []cobra.Completion, _ cobra.ShellCompDirective) {
		if len(args) == 0 {
			ctx, done := context.WithTimeout(command.Context(), completionTimeout)
			defer done()
			var listed asteroid.ListAgentsResult
			if c.ask(ctx, s.taskQueue, asteroid.ListAgentsName, asteroid.ListAgentsInput{Connection: s.connection}, &listed) == nil {
				for _, agent := range listed.Agents {
					found = append(found, cobra.CompletionWithDesc(oneLine(agent.AgentID), cell(agent.Name)))
				}
			}
		}
		return found, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeInputs completes the name of an input of the agent that the command names.
func (c *cli) completeInputs(s *agentsSettings) cobra.CompletionFunc {
	return func(command *cobra.Command, args []string, _ string) (found []cobra.Completion, _ cobra.ShellCompDirective) {
		if len(args) == 1 {
			ctx, done := context.WithTimeout(command.Context(), completionTimeout)
			defer done()
			if described, err := c.describe(ctx, *s, args[0], 0); err == nil {
				for _, in := range described.Inputs {
					found = append(found, cobra.CompletionWithDesc(in.Name+"=", cell(in.Description)))
				}
			}
		}
		slices.Sort(found)
		return found, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}
