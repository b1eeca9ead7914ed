package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
)

func (c *cli) newAgentsCommand() *cobra.Command {
	var taskQueue string
	var in asteroid.ListAgentsInput
	command := &cobra.Command{
		Use:   "agents",
		Short: "List the agents that a worker can run",
		Long:  help("List the agents that a worker's connection sees. A worker asks Asteroid; the server must support standalone activities."),
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(command *cobra.Command, _ []string) error {
			ctx := command.Context()
			s, err := c.connect(ctx)
			if err != nil {
				return err
			}
			defer s.Close()
			found, err := s.agents(ctx, taskQueue, in)
			if err != nil {
				return err
			}
			return c.print(found, func(out io.Writer) error {
				var rows [][]string
				for _, agent := range found.Agents {
					rows = append(rows, []string{oneLine(agent.AgentID), oneLine(agent.Name)})
				}
				if found.Incomplete {
					rows = append(rows, []string{"...", "there are more: --search finds them"})
				}
				return printTable(out, []string{"AGENT", "NAME"}, rows)
			})
		},
	}
	flags := command.Flags()
	flags.StringVar(&taskQueue, "task-queue", defaultTaskQueue, "ask the workers of this task `queue`")
	flags.StringVar(&in.Connection, "connection", "", "use the worker's connection with this `name` (default: default)")
	flags.StringVar(&in.SearchName, "search", "", "only agents whose name contains this `text`")
	return command
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
