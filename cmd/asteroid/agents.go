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
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

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
		Long: help("List the agents that a worker's connection sees. A worker asks Asteroid; the server must support standalone activities."),
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
					rows = append(rows, []string{oneLine(agent.AgentID), cell(agent.Name)})
				}
				if listed.Incomplete {
					rows = append(rows, []string{"...", "there are more: --search finds them"})
				}
				return printTable(out, []string{"AGENT", "NAME"}, rows)
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
	connected, err := c.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer connected.Close()
	in := asteroid.DescribeAgentInput{Connection: s.connection}
	if in.AgentID, err = connected.agentID(ctx, s.taskQueue, s.connection, agentID); err != nil {
		return nil, err
	}
	if version != 0 {
		in.Version = &version
	}
	if err := in.Validate(); err != nil {
		return nil, usageErrorf("%w", err)
	}
	var described asteroid.AgentDescription
	if err := connected.ask(ctx, s.taskQueue, asteroid.DescribeAgentName, in, &described); err != nil {
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

// ask is service.ask on a connection of its own.
func (c *cli) ask(ctx context.Context, taskQueue, activity string, in, result any) error {
	s, err := c.connect(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	return s.ask(ctx, taskQueue, activity, in, result)
}

// agents lets a worker list agents.
func (s *service) agents(ctx context.Context, queue string, in asteroid.ListAgentsInput) (*asteroid.ListAgentsResult, error) {
	var found asteroid.ListAgentsResult
	return &found, s.ask(ctx, queue, asteroid.ListAgentsName, in, &found)
}

// ask lets a worker run an activity that answers soon.
func (s *service) ask(ctx context.Context, queue, activityName string, in, out any) error {
	if polled, err := s.polled(ctx, queue); err == nil && !polled {
		return noWorker(queue)
	}
	const patience = 30 * time.Second
	handle, err := s.ExecuteActivity(ctx, client.StartActivityOptions{
		ID: "asteroid-ask-" + uuid.NewString(), TaskQueue: queue, ScheduleToCloseTimeout: patience,
	}, activityName, in)
	if _, unimplemented := errors.AsType[*serviceerror.Unimplemented](err); unimplemented {
		return fmt.Errorf("Temporal at %s has no standalone activities: update the server", s.address)
	}
	if err != nil {
		return s.failure(err, "")
	}
	err = handle.Get(ctx, out)
	if _, timedOut := errors.AsType[*temporal.TimeoutError](err); timedOut {
		return codedError{exitTimedOut, fmt.Errorf("no worker of the task queue %s answered within %s: see that one runs, and that it has the plugin", argument(queue), patience)}
	}
	return err
}

// agentID returns an id as it is, and the id of the agent that has a name. Ids are UUIDs.
func (s *service) agentID(ctx context.Context, queue, connection, given string) (string, error) {
	if uuid.Validate(given) == nil {
		return given, nil
	}
	found, err := s.agents(ctx, queue, asteroid.ListAgentsInput{Connection: connection, SearchName: given})
	if err != nil {
		return "", fmt.Errorf("find the agent %q by its name: %w", given, err)
	}
	var ids []string
	for _, agent := range found.Agents {
		if strings.EqualFold(agent.Name, given) {
			ids = append(ids, agent.AgentID)
		}
	}
	switch len(ids) {
	case 1:
		return ids[0], nil
	case 0:
		return "", notFoundErrorf("no agent has the name or the id %q: asteroid agents lists them", given)
	default:
		return "", usageErrorf("%d agents have the name %q: give one of the ids %s", len(ids), given, strings.Join(ids, ", "))
	}
}

// completeAgents completes the id of an agent. Without a worker it completes nothing.
func (c *cli) completeAgents(s *agentsSettings) cobra.CompletionFunc {
	return func(command *cobra.Command, args []string, _ string) (found []cobra.Completion, _ cobra.ShellCompDirective) {
		if len(args) == 0 {
			var listed asteroid.ListAgentsResult
			if c.ask(command.Context(), s.taskQueue, asteroid.ListAgentsName, asteroid.ListAgentsInput{Connection: s.connection}, &listed) == nil {
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
			if described, err := c.describe(command.Context(), *s, args[0], 0); err == nil {
				for _, in := range described.Inputs {
					found = append(found, cobra.CompletionWithDesc(in.Name+"=", cell(in.Description)))
				}
			}
		}
		slices.Sort(found)
		return found, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}
