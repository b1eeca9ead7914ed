package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/worker"
)

// checkTimeout bounds a check that waits for somebody else.
const checkTimeout = 20 * time.Second

// checkConnection lets a worker read an execution that does not exist: that it is not found shows
// that the key is good. The start of this activity tells the clock of the server, too.
func (e *examination) checkConnection(ctx context.Context, connection string, withClock bool) {
	name := "connection " + connection
	if !e.polled {
		e.add(name, checkSkipped, "a worker would have to be asked", "")
		return
	}
	before := time.Now()
	handle, err := e.service.ExecuteActivity(ctx, client.StartActivityOptions{
		ID: "asteroid-doctor-" + uuid.NewString(), TaskQueue: e.settings.taskQueue, ScheduleToCloseTimeout: checkTimeout,
		RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 1}, Summary: "Check the connection " + oneLine(connection),
	}, asteroid.GetExecutionName, asteroid.GetExecutionInput{Connection: connection, ExecutionID: uuid.Nil.String()})
	if err != nil {
		e.add(name, checkSkipped, message(err), "the check needs a server with standalone activities")
		return
	}
	if withClock {
		e.checkClock(ctx, handle, before, time.Now())
	}
	switch err := handle.Get(ctx, nil); {
	case err == nil, asteroid.IsNotFound(err):
		e.add(name, checkOK, "a worker reaches Asteroid with its key", "")
	case asteroid.IsUnauthorized(err):
		e.add(name, checkFailed, message(err), "give the worker a valid API key for this connection, and start it again")
	case asteroid.IsInvalidInput(err):
		e.add(name, checkFailed, message(err), "add the connection to the worker's configuration, or give another --connection")
	case asteroid.ErrorTypeOf(err) == "":
		e.add(name, checkFailed, message(err), "see that the workers of the task queue have the plugin and are not stuck")
	default:
		e.add(name, checkFailed, message(err), "")
	}
}

// checkAgent lets a worker describe the version of an agent that would run.
func (e *examination) checkAgent(ctx context.Context, c *cli, agentID string) {
	name := "agent " + cell(agentID)
	if !e.polled {
		e.add(name, checkSkipped, "a worker would have to be asked", "")
		return
	}
	described, err := c.describe(ctx, agentsSettings{e.settings.connections[0], e.settings.taskQueue}, agentID, 0)
	switch {
	case err == nil:
		e.add(name, checkOK, fmt.Sprintf("version %d is published and takes %d inputs", described.Version, len(described.Inputs)), "")
	case asteroid.IsNotFound(err):
		e.add(name, checkFailed, message(err), "asteroid agents list shows which agents there are")
	default:
		e.add(name, checkFailed, message(err), "")
	}
}

// tolerance is by how much clocks may differ.
const tolerance = 5 * time.Second

// checkClock compares this machine's clock with the server's, which dated the start of an activity
// between the two times.
func (e *examination) checkClock(ctx context.Context, handle client.ActivityHandle, before, after time.Time) {
	described, err := handle.Describe(ctx, client.DescribeActivityOptions{})
	if err != nil {
		e.add("clock", checkSkipped, message(err), "")
		return
	}
	scheduled := described.ScheduleTime
	ahead := max(before.Sub(scheduled), 0) - max(scheduled.Sub(after), 0)
	if ahead.Abs() > tolerance {
		e.add("clock", checkWarning, fmt.Sprintf("this machine is %s ahead of the Temporal server", ahead.Round(time.Second)), "let both take the time from NTP")
		return
	}
	e.add("clock", checkOK, "agrees with the Temporal server's", "")
}

// checkWatches checks the workflows asteroid.Watch, which signal what changes.
func (e *examination) checkWatches(ctx context.Context) {
	const most = 20
	page, err := e.service.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		PageSize: most, Query: "ExecutionStatus = 'Running' AND WorkflowType = " + queryText(asteroid.WatchWorkflowName),
	})
	switch {
	case err != nil:
		e.add("watch", checkWarning, message(err), "")
	case len(page.GetExecutions()) == 0:
		e.add("watch", checkOK, "none runs: the first agent starts one, unless workers take webhooks or poll", "")
	}
	for _, info := range page.GetExecutions() {
		e.checkWatch(ctx, info.GetExecution().GetWorkflowId())
	}
}

func (e *examination) checkWatch(ctx context.Context, id string) {
	const stale = 90 * time.Second // after which workers take a watch over
	described, err := e.service.DescribeWorkflowExecution(ctx, id, "")
	if err != nil {
		return // it ended meanwhile
	}
	scannedAt := described.GetWorkflowExecutionInfo().GetStartTime().AsTime()
	failure, connection := "", ""
	for _, pending := range described.GetPendingActivities() {
		var proof struct {
			Connection string    `json:"connection"`
			ScannedAt  time.Time `json:"scannedAt"`
		}
		if beat := pending.GetHeartbeatDetails().GetPayloads(); len(beat) > 0 {
			_ = converter.GetDefaultDataConverter().FromPayload(beat[len(beat)-1], &proof) // of another version: the start counts
		}
		if proof.ScannedAt.After(scannedAt) {
			scannedAt = proof.ScannedAt
		}
		failure, connection = pending.GetLastFailure().GetMessage(), " of connection "+proof.Connection
	}
	age := time.Since(scannedAt)
	if age < stale {
		e.add("watch", checkOK, fmt.Sprintf("workflow %s%s saw all executions %s ago", id, connection, coarse(age)), "")
		return
	}
	found := fmt.Sprintf("workflow %s%s has not seen all executions for %s", id, connection, coarse(age))
	if failure != "" {
		found += ": " + failure
	}
	e.add("watch", checkWarning, found, "see that workers run; meanwhile agents are read at intervals")
}

// checkEnvironment checks the connection that this environment describes, if it has a key.
func (e *examination) checkEnvironment(ctx context.Context) {
	const name = "environment"
	if os.Getenv("ASTEROID_API_KEY") == "" {
		e.add(name, checkSkipped, "ASTEROID_API_KEY is not set here, which only a worker needs", "")
		return
	}
	connections := map[string]asteroid.Connection{name: asteroid.ConnectionFromEnv()}
	if err := worker.Check(ctx, worker.Options{Connections: connections}); err != nil {
		e.add(name, checkFailed, message(err), "correct the variables ASTEROID_*")
		return
	}
	e.add(name, checkOK, "Asteroid takes the key in ASTEROID_API_KEY", "")
}

// checkWebhooks sends the webhook receiver an unsigned event, which it must refuse.
func (e *examination) checkWebhooks(ctx context.Context) {
	const name = "webhooks"
	address := e.settings.webhookURL
	if address == "" {
		e.add(name, checkSkipped, "--webhook-url checks a receiver", "")
		return
	}
	target, err := url.Parse(address)
	if err != nil || target.Host == "" || target.Scheme != "https" && target.Scheme != "http" {
		e.add(name, checkFailed, "--webhook-url is no URL", "give the receiver's https: address")
		return
	}
	ctx, done := context.WithTimeout(ctx, checkTimeout)
	defer done()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader([]byte("{}")))
	if err != nil {
		e.add(name, checkFailed, err.Error(), "")
		return
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		e.add(name, checkFailed, err.Error(), "see that a worker with webhooks listens, and that the address leads to it")
		return
	}
	defer response.Body.Close()
	switch status := response.StatusCode; {
	case status == http.StatusUnauthorized:
		e.add(name, checkOK, target.Redacted()+" answers, and refuses an unsigned event", "")
	case status < http.StatusMultipleChoices:
		e.add(name, checkFailed, fmt.Sprintf("%s took an unsigned event (%s)", target.Redacted(), response.Status), "this is not the receiver of package worker: correct the address")
	default:
		e.add(name, checkFailed, fmt.Sprintf("%s answers %s", target.Redacted(), response.Status), "the address must lead to the receiver's own path")
	}
}
