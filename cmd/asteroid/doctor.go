package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/cmd/internal/temporalserver"
	"github.com/temporal-asteroid/asteroid/internal/attributes"
)

// doctorSettings are the flags of asteroid doctor.
type doctorSettings struct {
	taskQueue, webhookURL string
	connections, agents   []string
}

func (c *cli) newDoctorCommand() *cobra.Command {
	var s doctorSettings
	command := &cobra.Command{
		Use:   "doctor",
		Short: "Check everything between this machine and Asteroid, and say what to do",
		Long: help("Check the Temporal service, the namespace, its search attributes, the workers of a task queue, their connections to Asteroid, "+
			"the connection in this environment, the watches, the webhook receiver, and the clocks. Each check says what to do.",
			"A worker's connection is checked by reading an execution that does not exist. The exit code is 1 if a check failed; warnings do not count."),
		Args: usageArgs(cobra.NoArgs),
		RunE: func(command *cobra.Command, _ []string) error { return c.doctor(command.Context(), s) },
	}
	flags := command.Flags()
	flags.StringVar(&s.taskQueue, "task-queue", defaultTaskQueue, "check the workers of this task `queue`")
	flags.StringArrayVar(&s.connections, "connection", []string{asteroid.DefaultConnection}, "check the workers' connection with this `name`; repeatable")
	flags.StringArrayVar(&s.agents, "agent", nil, "check that the agent with this `id` exists and can run, with the first --connection; repeatable")
	flags.StringVar(&s.webhookURL, "webhook-url", "", "check that a webhook receiver answers at this `URL`")
	return command
}

// The results of a check.
const (
	checkOK      = "ok"
	checkWarning = "warning"
	checkFailed  = "failed"
	checkSkipped = "skipped"
)

// check is a line of asteroid doctor.
type check struct {
	Check  string `json:"check"`
	Result string `json:"result"`
	Found  string `json:"found"`
	Advice string `json:"advice,omitempty"` // what to do
}

// examination collects the checks.
type examination struct {
	settings doctorSettings
	service  *service
	checks   []check
	polled   bool // workers take the activities of the task queue
}

func (e *examination) add(name, result, found, advice string) {
	e.checks = append(e.checks, check{name, result, found, advice})
}

func (c *cli) doctor(ctx context.Context, settings doctorSettings) error {
	e := &examination{settings: settings}
	var err error
	e.service, err = c.connect(ctx)
	switch {
	case err != nil && (codeOf(ctx, err) == exitUsage || ctx.Err() != nil):
		return err
	case err != nil:
		e.add("Temporal", checkFailed, message(err), "")
	default:
		defer e.service.Close()
		e.add("Temporal", checkOK, "answers at "+e.service.address, "")
		e.examineTemporal(ctx, c)
	}
	e.checkEnvironment(ctx)
	e.checkWebhooks(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := c.print(e.checks, func(out io.Writer) error {
		for _, check := range e.checks {
			fmt.Fprintf(out, "%-8s %-18s %s\n", check.Result, check.Check, oneLine(check.Found))
			if check.Advice != "" {
				fmt.Fprintf(out, "%27s → %s\n", "", oneLine(check.Advice))
			}
		}
		return nil
	}); err != nil {
		return err
	}
	if n := len(slices.DeleteFunc(slices.Clone(e.checks), func(c check) bool { return c.Result != checkFailed })); n > 0 {
		return fmt.Errorf("%d of %d checks failed", n, len(e.checks))
	}
	return nil
}

func (e *examination) examineTemporal(ctx context.Context, c *cli) {
	e.checkVersion(ctx)
	if !e.checkNamespace(ctx) {
		return
	}
	e.checkSearchAttributes(ctx)
	e.checkTaskQueue(ctx)
	for i, connection := range e.settings.connections {
		e.checkConnection(ctx, connection, i == 0)
	}
	for _, agent := range e.settings.agents {
		e.checkAgent(ctx, c, agent)
	}
	e.checkWatches(ctx)
}

func (e *examination) checkVersion(ctx context.Context) {
	oldest := temporalserver.MinimumServer
	info, err := e.service.WorkflowService().GetSystemInfo(ctx, &workflowservice.GetSystemInfoRequest{})
	switch version := info.GetServerVersion(); {
	case err != nil:
		e.add("server version", checkWarning, message(err), "")
	case slices.Compare(versionNumbers(version), oldest[:]) < 0:
		e.add("server version", checkWarning, version, fmt.Sprintf("tested with %d.%d and newer: update the server", oldest[0], oldest[1]))
	default:
		e.add("server version", checkOK, version, "")
	}
}

// versionNumbers returns the numbers of a version such as 1.32.1-rc.2, up to the first that is
// none.
func versionNumbers(version string) (numbers []int) {
	version, _, _ = strings.Cut(version, "-")
	for part := range strings.SplitSeq(version, ".") {
		number, err := strconv.Atoi(part)
		if err != nil {
			break
		}
		numbers = append(numbers, number)
	}
	return numbers
}

func (e *examination) checkNamespace(ctx context.Context) bool {
	described, err := e.service.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: e.service.namespace})
	if err != nil {
		e.add("namespace", checkFailed, message(e.service.failure(err, "")), "")
		return false
	}
	retention := described.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration()
	e.add("namespace", checkOK, fmt.Sprintf("%s, which keeps closed workflows for %s", e.service.namespace, coarse(retention)), "")
	return true
}

func (e *examination) checkSearchAttributes(ctx context.Context) {
	const name = "search attributes"
	wanted := asteroid.DefaultSearchAttributes()
	types, err := attributes.List(ctx, e.service, e.service.namespace)
	if err != nil {
		e.add(name, checkWarning, message(err), "")
		return
	}
	if problem := types.Problem(e.service.namespace, attributes.Keywords(wanted)); problem != "" {
		found, _, _ := strings.Cut(problem, ": create")
		e.add(name, checkWarning, found, "asteroid setup creates them; until then lists of workflows do not show agents")
		return
	}
	e.add(name, checkOK, strings.Join(wanted.Names(), ", "), "")
}

func (e *examination) checkTaskQueue(ctx context.Context) {
	kinds := []struct {
		kind  enums.TaskQueueType
		tasks string
	}{{enums.TASK_QUEUE_TYPE_WORKFLOW, "workflows"}, {enums.TASK_QUEUE_TYPE_ACTIVITY, "activities"}}
	workers := map[string]bool{}
	var lacking []string
	var last time.Time
	for _, of := range kinds {
		pollers, err := e.service.pollers(ctx, e.settings.taskQueue, of.kind)
		if err != nil {
			e.add("task queue", checkFailed, message(err), "")
			return
		}
		for _, poller := range pollers {
			workers[poller.GetIdentity()] = true
			if at := poller.GetLastAccessTime().AsTime(); at.After(last) {
				last = at
			}
		}
		if len(pollers) == 0 {
			lacking = append(lacking, of.tasks)
		}
	}
	if len(lacking) > 0 {
		e.add("task queue", checkFailed, fmt.Sprintf("no worker takes the %s of the task queue %s", strings.Join(lacking, " and "), e.settings.taskQueue),
			"start asteroid worker or your own with this task queue, or give another --task-queue")
		return
	}
	e.polled = true
	e.add("task queue", checkOK, fmt.Sprintf("workers of %s: %d, last poll %s", e.settings.taskQueue, len(workers), ago(last)), "")
}
