package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// runSettings are the flags of asteroid run.
type runSettings struct {
	agentInputs

	limits         []string
	fairnessKey    string
	taskQueue, id  string
	detach         bool
	timeout        time.Duration
	deadline       time.Duration
	answerWithin   time.Duration
	connection     string
	profile, pool  string
	version        int
	head, queue    bool
	checkInputs    bool
	checkResult    bool
	idempotencyKey string
	saveTo         string
}

func (c *cli) newRunCommand() *cobra.Command {
	var s runSettings
	command := &cobra.Command{
		Use:   "run AGENT",
		Short: "Run an agent and wait for its result",
		Long: help("Run the agent with the id or name AGENT by the workflow asteroid.RunAgent, print what it does, and print its result.",
			"Ctrl-C stops the waiting, not the agent: asteroid cancel ends that. Progress goes to the standard error output."),
		Example: "  asteroid run invoice-clerk --input invoice=1042 --file /srv/claims/1042.pdf\n" +
			"  id=$(asteroid run 0f8fad5b-d9cb-469f-a165-70867728950e --detach)",
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(command *cobra.Command, args []string) error { return c.run(command, args[0], &s) },
	}
	flags := command.Flags()
	s.agentInputs.addFlags(flags)
	flags.StringVar(&s.taskQueue, "task-queue", defaultTaskQueue, "run on the workers of this task `queue`")
	flags.StringVar(&s.id, "id", "", "give the workflow this `id` (default: a new one)")
	flags.StringVar(&s.idempotencyKey, "idempotency-key", "", "run the agent once for this `key`, however often it is started: a later start follows the same run")
	flags.StringVar(&s.connection, "connection", "", "use the worker's connection with this `name` (default: default)")
	flags.StringVar(&s.profile, "agent-profile", "", "run with the agent profile that has this `id`")
	flags.StringVar(&s.pool, "agent-profile-pool", "", "run with a profile of the pool that has this `id`")
	flags.IntVar(&s.version, "agent-version", 0, "run this `version` of the agent (default: the published one)")
	flags.BoolVar(&s.checkInputs, "check-inputs", false, "refuse inputs that the agent's version does not take, before anything is sent to Asteroid")
	flags.BoolVar(&s.checkResult, "check-result", false, "tell where the result does not fit the schema that the agent's version declares")
	flags.BoolVar(&s.head, "head", false, "run the editable head of the agent")
	flags.BoolVar(&s.queue, "queue", false, "without capacity, queue at Asteroid instead of trying again; not with files")
	flags.StringVar(&s.saveTo, "save-to", "", "save the agent's downloads in this `directory or URI`, on the worker; see asteroid files save")
	flags.DurationVar(&s.deadline, "deadline", 0, "cancel the agent when it has run for this `time`, such as 2h")
	flags.DurationVar(&s.answerWithin, "answer-within", 0, "fail when nobody answers a question of the agent within this `time`")
	flags.StringArrayVar(&s.limits, "limit", nil, "wait for a permit of the limit `key=max`, of which so many runs have one at once; repeatable")
	flags.StringVar(&s.fairnessKey, "fairness-key", "", "share the permits in turn with runs that have other `keys`, such as the name of a tenant")
	flags.BoolVar(&s.detach, "detach", false, "print the workflow id and do not wait")
	flags.DurationVar(&s.timeout, "timeout", 0, "stop waiting after this `time`; the agent goes on")
	asked := func() *agentsSettings { return &agentsSettings{s.connection, s.taskQueue} }
	command.ValidArgsFunction = func(command *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return c.completeAgents(asked())(command, args, begun)
	}
	_ = command.RegisterFlagCompletionFunc("input", func(command *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return c.completeInputs(asked())(command, args, begun)
	}) // the flag exists
	return command
}

// input returns the workflow's input. Its errors are usage errors: nothing has been sent.
func (s *runSettings) input(agentID string, stdin io.Reader) (workflows.RunAgentInput, error) {
	in := workflows.RunAgentInput{
		Connection: s.connection, AgentID: agentID, AgentProfileID: s.profile, AgentProfilePoolID: s.pool,
		Head: s.head, IdempotencyKey: s.idempotencyKey, CheckInputs: s.checkInputs, CheckResult: s.checkResult,
		TimeoutSeconds: seconds(s.deadline), HumanTimeoutSeconds: seconds(s.answerWithin),
	}
	if s.version != 0 {
		in.Version = &s.version
	}
	if s.queue {
		in.OnCapacityLimit = asteroid.CapacityQueue
	}
	if s.saveTo != "" {
		destination, err := fileURI(s.saveTo)
		if err != nil {
			return in, err
		}
		in.Collect = &workflows.Collect{Destination: destination}
	}
	var err error
	if in.Inputs, in.Files, in.Metadata, err = s.parse(stdin); err != nil {
		return in, err
	}
	if in.Limits, err = parseLimits(s.limits, s.fairnessKey); err != nil {
		return in, err
	}
	for flag, value := range map[string]time.Duration{"timeout": s.timeout, "deadline": s.deadline, "answer-within": s.answerWithin} {
		if value < 0 || value > 0 && value < time.Second && flag != "timeout" {
			return in, usageErrorf("--%s %s: give a positive time, such as 30s or 2h", flag, value)
		}
	}
	switch {
	case strings.TrimSpace(agentID) == "":
		return in, usageErrorf("AGENT is empty: give the agent's id or name")
	case s.version < 0:
		return in, usageErrorf("--agent-version %d: a version is at least 1", s.version)
	case s.checkInputs && s.head:
		return in, usageErrorf("--check-inputs does not go with --head, whose inputs may change meanwhile")
	case s.detach && s.timeout > 0:
		return in, usageErrorf("--timeout bounds the wait, and --detach does not wait: give one of them, or --deadline for the agent")
	case s.queue && len(in.Files) > 0:
		return in, usageErrorf("--queue does not go with --file: staged files would expire in the queue")
	}
	execute := asteroid.ExecuteAgentInput{
		AgentID: uuid.Nil.String(), AgentProfileID: in.AgentProfileID, AgentProfilePoolID: in.AgentProfilePoolID, Version: in.Version, Head: in.Head,
		Inputs: in.Inputs, Metadata: in.Metadata, IdempotencyKey: in.IdempotencyKey, OnCapacityLimit: in.OnCapacityLimit,
	}
	if err := execute.Validate(); err != nil {
		return in, usageErrorf("%w", err)
	}
	if stage := (asteroid.StageFilesInput{Files: in.Files}); len(in.Files) > 0 {
		if err := stage.Validate(); err != nil {
			return in, usageErrorf("%w", err)
		}
	}
	return in, nil
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

func (c *cli) run(command *cobra.Command, agentID string, settings *runSettings) error {
	ctx := command.Context()
	in, err := settings.input(agentID, c.in)
	if err != nil {
		return err
	}
	if in.AgentID, err = c.agentID(ctx, agentsSettings{settings.connection, settings.taskQueue}, agentID); err != nil {
		return err
	}
	s, err := c.connect(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	id := settings.id
	if id == "" {
		id = "asteroid-run-" + rand.Text()[:10]
	}
	run, err := s.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: id, TaskQueue: settings.taskQueue, StaticSummary: "Run the agent " + oneLine(agentID),
		WorkflowIDConflictPolicy:                 enums.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
	}, workflows.RunAgentName, in)
	if _, exists := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); exists {
		return fmt.Errorf("a workflow with the id %s is at work already: asteroid show %[1]s shows it; give another --id", argument(id))
	}
	if err != nil {
		return s.failure(err, "")
	}
	if settings.detach {
		if polled, err := s.polled(ctx, settings.taskQueue); err == nil && !polled {
			fmt.Fprintf(c.err, "The agent starts later: %v\n", noWorker(settings.taskQueue))
		}
		return c.print(outcome{WorkflowID: run.GetID(), RunID: run.GetRunID()}, func(out io.Writer) error {
			_, err := fmt.Fprintln(out, run.GetID())
			return err
		})
	}
	fmt.Fprintf(c.err, "Workflow %s. Ctrl-C stops waiting; the agent goes on.\n", run.GetID())
	w, err := s.find(ctx, run.GetID())
	if err != nil {
		return err
	}
	return c.await(ctx, w, settings.timeout)
}
