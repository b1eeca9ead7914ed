package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

const defaultNamespace = client.DefaultNamespace

// asksAccount is an agent that asks one question, with options, and returns the answer.
func asksAccount(testsuite.Run) []testsuite.Step {
	account := testsuite.Question{Text: "Which account shall I use?", Header: "Account", Options: []testsuite.Choice{
		{Label: "Checking", Description: "ends in 42"}, {Label: "Savings"},
	}}
	return []testsuite.Step{testsuite.AskFor(account, func(answer string) []testsuite.Step {
		return []testsuite.Step{testsuite.Complete("success", "Filed it.", map[string]any{"account": answer})}
	})}
}

// asksDocuments is an agent that asks a question to which several options may be the answer.
func asksDocuments(testsuite.Run) []testsuite.Step {
	documents := testsuite.Question{Text: "Which documents belong to the claim?", Header: "Documents", MultiSelect: true, Options: []testsuite.Choice{
		{Label: "Invoice"}, {Label: "Photo"}, {Label: "Letter"},
	}}
	return []testsuite.Step{testsuite.AskFor(documents, func(answer string) []testsuite.Step {
		return []testsuite.Step{testsuite.Complete("success", "Filed it.", answer)}
	})}
}

// works is an agent that works for long.
func works(testsuite.Run) []testsuite.Step {
	return []testsuite.Step{testsuite.Work(time.Hour), testsuite.Complete("success", "Done.", nil)}
}

func TestRunWaitsAndPrintsResult(t *testing.T) {
	c := newClients(t, defaultNamespace)
	c.startWorker()
	echo := c.api.AgentID("echo")
	got := c.asteroid("run", echo, "--task-queue", c.queue, "--input", "account=00123456789012345678901", "--input", `tags=["a"]`, "--input", "n=12345678901234567890")
	printed := c.ok(got)
	require.Contains(t, printed, "echo: completed, outcome success")
	require.Contains(t, printed, `"account": "00123456789012345678901"`)
	require.Contains(t, printed, `"a"`)
	require.Contains(t, got.stderr, "Ctrl-C stops waiting")
	require.Contains(t, got.stderr, "echo completed, outcome success")

	result := decoded[outcome](t, c.ok(c.asteroid("run", echo, "--task-queue", c.queue, "--json", "--input", "word=hello", "--metadata", "claim=7")))
	require.Contains(t, string(result.Result), `"hello"`)
	require.Equal(t, "7", c.api.Executions()[1].Metadata["claim"])
	// The result can be read later, without a worker.
	require.Equal(t, result, decoded[outcome](t, c.ok(c.asteroid("result", result.WorkflowID, "--json"))))
	require.Contains(t, c.ok(c.asteroid("show", result.WorkflowID)), "Agent echo completed, outcome success")
}

func TestResultPrintsEveryStepOfPipeline(t *testing.T) {
	c := newClients(t, defaultNamespace)
	c.startWorker()
	echo := c.api.AgentID("echo")
	run, err := c.temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: c.queue}, workflows.PipelineName, workflows.PipelineInput{Steps: []workflows.PipelineStep{
		{RunAgentInput: workflows.RunAgentInput{AgentID: echo, Inputs: asteroid.Inputs{"word": "one"}}},
		{RunAgentInput: workflows.RunAgentInput{AgentID: echo}, ResultInput: "before"},
	}})
	require.NoError(t, err)
	printed := c.ok(c.asteroid("result", run.GetID(), "--wait"))
	require.Equal(t, 2, strings.Count(printed, "echo: completed, outcome success"), printed)
	require.Equal(t, 2, strings.Count(printed, `"word": "one"`), printed)
}

func TestRunTakesInputsFromFiles(t *testing.T) {
	c := newClients(t, defaultNamespace)
	c.startWorker()
	file := filepath.Join(t.TempDir(), "inputs.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"word": "from the file", "n": 12345678901234567890}`), 0o600))
	for name, row := range map[string]struct {
		args []string
		want string
	}{
		"file":           {[]string{"--inputs-file", file}, `"from the file"`},
		"standard input": {[]string{"--inputs-file", "-"}, `"from the pipe"`},
		"replaced":       {[]string{"--inputs-file", file, "--input", "word=new"}, `"new"`},
	} {
		args := append([]string{"run", c.api.AgentID("echo"), "--task-queue", c.queue, "--json"}, row.args...)
		got := c.asteroidWith(t.Context(), strings.NewReader(`{"word":"from the pipe"}`), args...)
		require.Contains(t, c.ok(got), row.want, name)
	}
}

func TestRunTakesNameOfAgent(t *testing.T) {
	c := newClients(t, defaultNamespace)
	c.startWorker()
	require.Contains(t, c.ok(c.asteroid("run", "Echo", "--task-queue", c.queue)), "echo: completed")
	refused(t, c.asteroid("run", "echo", "--task-queue", "unserved"), exitFailed, "no worker polls")
	refused(t, c.asteroid("run", "echo", "--task-queue", c.queue, "--connection", "other"), exitUsage, "other")
}

func TestRunExitCodes(t *testing.T) {
	c := newClients(t, defaultNamespace)
	c.startWorker()
	for range 2 {
		c.api.ServeAgent("twin", works)
	}
	for name, row := range map[string]struct {
		args []string
		code int
		said string
	}{
		"agent failed":     {[]string{c.api.AgentID("echo"), "--input", "fail=bad_login"}, exitAgentFailed, "bad_login"},
		"no such agent":    {[]string{uuid.NewString()}, exitNotFound, ""},
		"no such name":     {[]string{"clerk"}, exitNotFound, "asteroid agents list"},
		"two of the name":  {[]string{"twin"}, exitUsage, "2 agents have the name"},
		"timed out":        {[]string{c.api.ServeAgent("slow", works), "--timeout", "1s"}, exitTimedOut, "asteroid cancel"},
		"deadline":         {[]string{c.api.ServeAgent("slower", works), "--deadline", "1s"}, exitTimedOut, ""},
		"wrong connection": {[]string{c.api.AgentID("echo"), "--connection", "other"}, exitUsage, "other"},
		"refused file":     {[]string{c.api.AgentID("echo"), "--file", "/etc/passwd"}, exitUsage, "file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := c.asteroid(append([]string{"run", "--task-queue", c.queue}, row.args...)...)
			refused(t, got, row.code, row.said)
		})
	}
	t.Run("interrupted", func(t *testing.T) {
		t.Parallel()
		ctx, interrupt := context.WithCancel(t.Context())
		go func() {
			c.awaitAgents("interrupted", all(1, workflows.PhaseRunning))
			interrupt()
		}()
		agent := c.api.ServeAgent("interrupted", works)
		got := c.asteroidWith(ctx, strings.NewReader(""), "run", agent, "--task-queue", c.queue, "--id", "interrupted")
		refused(t, got, exitInterrupted, "asteroid cancel interrupted")
		refused(t, c.asteroid("run", agent, "--task-queue", c.queue, "--id", "interrupted"), exitFailed, "at work already")
		refused(t, c.asteroid("result", "interrupted"), exitFailed, "--wait")
		refused(t, c.asteroid("result", "interrupted", "--wait", "--timeout", "100ms"), exitTimedOut, "goes on")
		require.Contains(t, c.ok(c.asteroid("cancel", "interrupted")), "cancelled (execution")
	})
}

func TestRunWithJSONPrintsError(t *testing.T) {
	c := newClients(t, defaultNamespace)
	c.startWorker()
	got := c.asteroid("run", c.api.AgentID("echo"), "--task-queue", c.queue, "--input", "fail=bad_login", "--json")
	refused(t, got, exitAgentFailed, "bad_login")
	failure := decoded[outcome](t, got.stdout).Error
	require.Equal(t, asteroid.ErrorTypeExecutionFailed, failure.Type)
	require.Equal(t, c.api.Executions()[0].ID, failure.ExecutionID)
}

func TestAnswerBelongsToOneAsking(t *testing.T) {
	c := newClients(t, defaultNamespace)
	c.startWorker()
	id := c.start(c.api.ServeAgent("filer", asksAccount), "--id", "claim 1042's")
	agents := c.awaitAgents(id, all(1, workflows.PhaseNeedsHuman))
	shown := c.ok(c.asteroid("show", id))
	require.Contains(t, shown, "Account: Which account shall I use?")
	require.Contains(t, shown, "1  Checking: ends in 42")
	require.Contains(t, shown, `asteroid answer 'claim 1042'\''s'`)
	for name, row := range map[string]struct {
		args []string
		code int
		said string
	}{
		"wrong option":      {[]string{"--option", "Cash"}, exitUsage, `"Checking", "Savings"`},
		"two options":       {[]string{"--option", "1", "--option", "2"}, exitUsage, "takes one answer"},
		"empty text":        {[]string{"--text", " "}, exitUsage, "empty"},
		"no input":          {nil, exitUsage, "nothing was sent"},
		"other asking":      {[]string{"--option", "1", "--asking", "earlier"}, exitFailed, "asks something else now"},
		"other execution":   {[]string{"--option", "1", "--execution", uuid.NewString()}, exitNotFound, "no execution"},
		"too long a number": {[]string{"--option", "3"}, exitUsage, `"Savings"`},
	} {
		refused(t, c.asteroid(append([]string{"answer", id}, row.args...)...), row.code, row.said)
		require.Empty(t, c.api.Executions()[0].Messages, name)
	}
	refused(t, c.asteroid("message", id, "hello"), exitFailed, "asteroid answer")
	refused(t, c.asteroid("resume", id), exitFailed, "asteroid answer")
	interactive := c.asteroidWith(t.Context(), strings.NewReader("\n3\n1,2\n2\n"), "answer", id, "--asking", agents[0].Asking)
	require.Contains(t, c.ok(interactive), "filer has the answer: Savings")
	require.Contains(t, interactive.stderr, "2  Savings")
	require.Contains(t, interactive.stderr, `"3" chooses nothing`)
	require.Contains(t, interactive.stderr, `"1,2" chooses nothing`)
	require.Contains(t, c.ok(c.asteroid("result", id, "--wait")), `"account": "Savings"`)
	refused(t, c.asteroid("answer", id, "--option", "1"), exitFailed, "closed")
}

func TestConfirmationIsGivenInConsole(t *testing.T) {
	c := newClients(t, defaultNamespace)
	c.startWorker()
	id := c.start(c.api.ServeAgent("payer", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.AwaitConfirmation("Pay 42 EUR?"), testsuite.Complete("success", "Paid.", nil)}
	}))
	c.awaitAgents(id, all(1, workflows.PhaseNeedsHuman))
	require.Contains(t, c.ok(c.asteroid("show", id)), "approve in the console, then asteroid resume "+id)
	refused(t, c.asteroid("answer", id, "--text", "yes"), exitFailed, "approve it in the console")
	require.Contains(t, c.ok(c.asteroid("resume", id)), "payer is ")
	require.Contains(t, c.ok(c.asteroid("result", id, "--wait")), "payer: completed")
}

func TestAnswerTakesSeveralOptions(t *testing.T) {
	c := newClients(t, defaultNamespace)
	c.startWorker()
	agent := c.api.ServeAgent("filer", asksDocuments)
	for name, row := range map[string]struct {
		stdin string
		args  []string
		want  string
	}{
		"flags":       {"", []string{"--option", "invoice", "--option", "3"}, "Invoice, Letter"},
		"interactive": {"1, 2\n", nil, "Invoice, Photo"},
		"own words":   {"none of them\n", nil, "none of them"},
		"text":        {"", []string{"--text", "see the mail"}, "see the mail"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id := c.start(agent)
			c.awaitAgents(id, all(1, workflows.PhaseNeedsHuman))
			got := c.asteroidWith(t.Context(), strings.NewReader(row.stdin), append([]string{"answer", id, "--json"}, row.args...)...)
			require.Equal(t, row.want, decoded[workflows.SteerResult](t, c.ok(got)).Message)
		})
	}
}

// twoAgents is a user's workflow with two agents at once. It fails with the error of the first.
func twoAgents(ctx workflow.Context, agentID string) error {
	group, errs := workflow.NewWaitGroup(ctx), make([]error, 2)
	for n := range errs {
		group.Add(1)
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer group.Done()
			_, errs[n] = workflows.RunAgent(ctx, workflows.RunAgentInput{AgentID: agentID, Inputs: asteroid.Inputs{"n": n}})
		})
	}
	group.Wait(ctx)
	return errors.Join(errs...)
}

func TestCommandsChooseAmongAgentsOfOneWorkflow(t *testing.T) {
	c := newClients(t, defaultNamespace)
	c.startWorker(twoAgents)
	run, err := c.temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: c.queue}, twoAgents, c.api.ServeAgent("filer", asksAccount))
	require.NoError(t, err)
	id := run.GetID()
	agents := c.awaitAgents(id, all(2, workflows.PhaseNeedsHuman))
	for _, args := range [][]string{{"answer", id, "--option", "1"}, {"pause", id}, {"message", id, "hello"}, {"files", "save", id, "--to", c.output}} {
		refused(t, c.asteroid(args...), exitUsage, agents[1].ExecutionID)
	}
	require.Contains(t, c.ok(c.asteroid("answer", id, "--execution", agents[1].ExecutionID, "--option", "Savings")), agents[1].ExecutionID)
	require.Contains(t, c.ok(c.asteroid("cancel", id, "--execution", agents[0].ExecutionID)), "filer is cancelled")
	refused(t, c.asteroid("result", id, "--wait"), exitAgentFailed, "cancel")
	for i, status := range []string{"cancelled", "completed"} {
		execution, _ := c.api.Execution(agents[i].ExecutionID)
		require.Equal(t, status, execution.Status)
	}
}

func TestPauseResumeMessageAndCancelSteerAgent(t *testing.T) {
	c := newClients(t, defaultNamespace)
	c.startWorker()
	id := c.start(c.api.ServeAgent("worker", works))
	c.awaitAgents(id, func(agents []workflows.AgentState) bool {
		return len(agents) == 1 && agents[0].Status == asteroid.StatusRunning
	})
	refused(t, c.asteroid("answer", id, "--text", "yes"), exitFailed, "no agent of workflow")
	refused(t, c.asteroid("resume", id), exitFailed, "worker is at work")
	require.Contains(t, c.ok(c.asteroid("pause", id)), "worker is paused")
	c.awaitAgents(id, all(1, workflows.PhasePaused))
	require.Contains(t, c.ok(c.asteroid("resume", id)), "worker is running")
	require.Contains(t, c.ok(c.asteroid("message", id, "hurry")), "worker has the message")
	got := c.asteroidWith(t.Context(), strings.NewReader("from a pipe\n"), "message", id, "-")
	c.ok(got)
	messages := c.api.Executions()[0].Messages
	require.Len(t, messages, 2)
	require.Equal(t, "from a pipe", messages[1].Text)
	report := decoded[cancelled](t, c.ok(c.asteroid("cancel", id, "--json")))
	require.Equal(t, asteroid.StatusCancelled, report.Agents[0].Status)
	require.Equal(t, "cancelled", c.api.Executions()[0].Status)
	refused(t, c.asteroid("cancel", id), exitFailed, "closed")
	refused(t, c.asteroid("result", id), exitAgentFailed, "")
}

// swallows is a user's workflow that completes although it was cancelled.
func swallows(ctx workflow.Context, in workflows.RunAgentInput) error {
	_, _ = workflows.RunAgent(ctx, in)
	return nil
}

// wraps is a user's workflow that wraps the error of its agent.
func wraps(ctx workflow.Context, in workflows.RunAgentInput) error {
	_, err := workflows.RunAgent(ctx, in)
	return fmt.Errorf("file the claim: %w", err)
}

func TestCancelReportsWhatBecameOfAgents(t *testing.T) {
	c := newClients(t, defaultNamespace)
	c.startWorker(swallows, wraps)
	agent := c.api.ServeAgent("worker", works)
	for name, row := range map[string]struct {
		workflow any
		onCancel workflows.OnCancel
		code     int
	}{
		"swallowed": {swallows, "", 0},
		"wrapped":   {wraps, "", 0},
		"abandoned": {wraps, workflows.AbandonExecution, exitFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := workflows.RunAgentInput{AgentID: agent, OnCancel: row.onCancel}
			run, err := c.temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: c.queue}, row.workflow, in)
			require.NoError(t, err)
			started := c.awaitAgents(run.GetID(), all(1, workflows.PhaseRunning))
			got := c.asteroid("cancel", run.GetID())
			require.Equal(t, row.code, got.code, "%s%s", got.stdout, got.stderr)
			require.Contains(t, got.stdout, started[0].ExecutionID)
			require.Equal(t, row.code != 0, strings.Contains(got.stderr, "when last seen"), got.stderr)
		})
	}
}

func TestListShowsWhoWaits(t *testing.T) {
	for _, namespace := range []string{defaultNamespace, bareNamespace} {
		t.Run(namespace, func(t *testing.T) {
			c := newClients(t, namespace)
			c.startWorker()
			suffix := uuid.NewString()
			asks, busy := c.start(c.api.ServeAgent("asks-"+suffix, asksAccount)), c.start(c.api.ServeAgent("busy-"+suffix, works))
			c.awaitAgents(asks, all(1, workflows.PhaseNeedsHuman))
			c.awaitAgents(busy, all(1, workflows.PhaseRunning))
			list := func(args ...string) (ids []string) {
				for _, row := range decoded[[]listed](t, c.ok(c.asteroid(append([]string{"list", "--json"}, args...)...))) {
					if row.TaskQueue == c.queue {
						ids = append(ids, row.WorkflowID)
					}
				}
				return ids
			}
			require.Eventually(t, func() bool {
				return fmt.Sprint(list("--waiting"), list("--agent", "busy-"+suffix), list()) == fmt.Sprint([]string{asks}, []string{busy}, []string{busy, asks})
			}, 30*time.Second, 200*time.Millisecond)
			require.Equal(t, []string{asks}, list("--status", "paused_by_agent"))
			require.Equal(t, []string{busy}, list("--limit", "1"))
			got := c.asteroid("list")
			require.Contains(t, c.ok(got), "Which account shall I use?")
			require.Equal(t, namespace == bareNamespace, strings.Contains(got.stderr, "asteroid setup"), got.stderr)

			c.ok(c.asteroid("cancel", busy))
			require.Eventually(t, func() bool { return fmt.Sprint(list("--status", "cancelled")) == fmt.Sprint([]string{busy}) }, 30*time.Second, 200*time.Millisecond)
			require.Equal(t, []string{asks}, list())
			require.Equal(t, []string{asks, busy}, list("--all"), "the open ones first")
		})
	}
}

func TestFilesSaveWritesWhereWorkerRuns(t *testing.T) {
	c := newClients(t, defaultNamespace)
	c.startWorker()
	large := strings.Repeat("0123456789", 60_000)
	id := c.start(c.api.ServeAgent("writer", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{
			testsuite.WriteFile("downloads", "report.txt", "text/plain", []byte("paid")),
			testsuite.Complete("success", "Wrote it.", map[string]string{"text": large}),
		}
	}))
	result := c.ok(c.asteroid("result", id, "--wait"))
	require.Contains(t, result, "too large for Temporal. Save it: asteroid files save "+id)
	got := c.asteroid("files", "save", id, "--to", c.output+"/by-workflow", "--result")
	require.Contains(t, c.ok(got), "where the worker")
	execution := c.api.Executions()[0].ID
	for name, want := range map[string]string{"downloads/report.txt": "paid", "result.json": large} {
		content, err := os.ReadFile(filepath.Join(c.output, "by-workflow", execution, name))
		require.NoError(t, err)
		require.Contains(t, string(content), want)
	}
	saved := decoded[asteroid.SaveFilesResult](t, c.ok(c.asteroid("files", "save", execution, "--to", c.output+"/by-execution", "--task-queue", c.queue, "--json")))
	require.Equal(t, "report.txt", saved.Files[0].Name)
	for _, row := range []struct {
		args []string
		code int
		said string
	}{
		{[]string{id, "--to", c.output, "--name", "*.pdf"}, exitNotFound, "no such files"},
		{[]string{id, "--to", "/elsewhere"}, exitUsage, "elsewhere"},
		{[]string{id, "--to", "s3://bucket/x"}, exitUsage, "s3"},
		{[]string{id}, exitUsage, "--to"},
		{[]string{id, "--to", c.output, "--directory", "a/b"}, exitUsage, "uploads, downloads"},
		{[]string{"no-such-workflow", "--to", c.output}, exitNotFound, "no-such-workflow"},
		{[]string{execution, "--to", c.output, "--task-queue", "unserved"}, exitFailed, "no worker polls the task queue unserved"},
	} {
		refused(t, c.asteroid(append([]string{"files", "save"}, row.args...)...), row.code, row.said)
	}
	// A new execution may not be readable yet, so the worker tries again. The timeout falls between
	// two attempts or into one.
	got = c.asteroid("files", "save", uuid.NewString(), "--to", c.output, "--task-queue", c.queue, "--timeout", "3s")
	require.Contains(t, []int{exitNotFound, exitTimedOut}, got.code)
	require.Contains(t, got.stderr, "404")
}

func TestShownTextsCannotSteerTerminal(t *testing.T) {
	c := newClients(t, defaultNamespace)
	const hostile = "\x1b[2J\u009b31m\u202egnp.exe\r\nnext\x07"
	c.startWorker(hostileWorkflow)
	run, err := c.temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: c.queue}, hostileWorkflow, hostile)
	require.NoError(t, err)
	id := run.GetID()
	c.awaitAgents(id, func(agents []workflows.AgentState) bool { return len(agents) == 1 })
	for _, args := range [][]string{
		{"show", id}, {"show", id, "--json"}, {"answer", id}, {"answer", id, "--option", "x"}, {"answer", id, "--option", "1", "--asking", "x"},
		{"message", id, "x"}, {"resume", id}, {"result", id, "--wait", "--timeout", "1s"}, {"list"}, {"list", "--json"},
	} {
		got := c.asteroid(args...)
		require.NotEmpty(t, got.stdout+got.stderr)
		require.NotRegexp(t, "[\x00-\x08\x0b-\x1f\x7f\u0080-\u009f\u202a-\u202e]", got.stdout+got.stderr, "%v", args)
	}
}

// hostileWorkflow answers the query with a text in every place of its state.
func hostileWorkflow(ctx workflow.Context, text string) error {
	question := asteroid.Question{Question: text, Header: text, Options: []asteroid.QuestionOption{{Label: text, Description: text}}}
	state := workflows.State{Agents: []workflows.AgentState{{
		AgentID: text, AgentName: text, Phase: workflows.PhaseNeedsHuman, ExecutionID: text, Status: asteroid.Status(text), Reason: text,
		Questions: []asteroid.Question{question}, Asking: text, Answer: &workflows.SentAnswer{Asking: text, Message: text, Error: text},
		Outcome: text, Outputs: []asteroid.OutputFile{{FileRef: asteroid.FileRef{Name: text, URI: text}}}, Files: []asteroid.StagedFile{{Name: text}},
		Error: text, PlatformURL: text, LiveViewURL: text, RecordingURL: text,
		Statuses: []workflows.StatusTime{{Status: asteroid.Status(text)}},
	}}}
	if err := workflow.SetQueryHandler(ctx, workflows.StateQuery, func() (workflows.State, error) { return state, nil }); err != nil {
		return err
	}
	return workflow.Sleep(ctx, time.Hour)
}

func TestCommandsSayThatNoWorkerPolls(t *testing.T) {
	c := newClients(t, defaultNamespace)
	got := c.asteroid("run", c.api.AgentID("echo"), "--task-queue", c.queue, "--id", "unserved", "--timeout", "3s")
	refused(t, got, exitTimedOut, "goes on")
	require.Contains(t, got.stderr, "no worker polls the task queue "+c.queue)
	require.Contains(t, c.asteroid("run", c.api.AgentID("echo"), "--task-queue", c.queue, "--detach").stderr, "starts later: no worker polls")
	for _, args := range [][]string{{"show", "unserved"}, {"answer", "unserved", "--text", "x"}, {"pause", "unserved"}, {"files", "save", "unserved", "--to", "/tmp"}} {
		refused(t, c.asteroid(args...), exitFailed, "no worker polls the task queue "+c.queue+": start one")
	}
	require.Contains(t, c.asteroid("show", "unserved").stdout, "Running", "what Temporal knows is shown")
	require.Contains(t, c.ok(c.asteroid("list", "--limit", "1000")), "no worker polls the task queue")
	refused(t, c.asteroid("cancel", "unserved"), exitFailed, "the cancellation is requested, but no worker")
	stop := c.startWorker()
	c.awaitAgents("unserved", func(agents []workflows.AgentState) bool { return len(agents) == 1 })
	require.NoError(t, c.temporal.TerminateWorkflow(t.Context(), "unserved", "", "the test is over"))
	refused(t, c.asteroid("result", "unserved"), exitFailed, "the workflow was terminated")
	refused(t, c.asteroid("pause", "unserved"), exitFailed, "closed")

	// The server still counts a worker that has just stopped.
	stop()
	began := time.Now()
	refused(t, c.asteroid("show", "unserved"), exitTimedOut, "no worker of the task queue "+c.queue+" answered within")
	require.Less(t, time.Since(began), 2*queryTimeout)
}

func TestCommandsSayWhatIsMissing(t *testing.T) {
	c := newClients(t, defaultNamespace)
	c.startWorker(noAgents)
	run, err := c.temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: c.queue}, noAgents)
	require.NoError(t, err)
	for _, name := range []string{"show", "answer", "pause", "resume", "cancel", "result"} {
		refused(t, c.asteroid(name, "no-such-workflow"), exitNotFound, "asteroid list --all")
		got := c.asteroid("--namespace", "nowhere", name, "x")
		refused(t, got, exitUsage, "no namespace nowhere")
	}
	for _, args := range [][]string{{"list"}, {"setup"}, {"run", uuid.NewString()}, {"files", "save", "x", "--to", "/tmp"}, {"message", "x", "y"}} {
		refused(t, c.asteroid(append([]string{"--namespace", "nowhere"}, args...)...), exitUsage, "no namespace nowhere")
	}
	got := c.asteroid("--namespace", "nowhere", "doctor")
	refused(t, got, exitFailed, "checks failed")
	require.Contains(t, got.stdout, "no namespace nowhere")
	refused(t, c.asteroid("show", run.GetID()), exitNotFound, "has no agents")
	refused(t, c.asteroid("answer", run.GetID(), "--text", "x"), exitNotFound, "has no agents")
}

// noAgents is a workflow without agents.
func noAgents(ctx workflow.Context) error { return workflow.Sleep(ctx, time.Hour) }

func TestDoctorChecksWhatCanBeWrong(t *testing.T) {
	c := newClients(t, defaultNamespace)
	got := c.asteroid("doctor", "--task-queue", c.queue)
	refused(t, got, exitFailed, "1 of ")
	require.Contains(t, got.stdout, "no worker takes the workflows and activities of the task queue "+c.queue)
	c.startWorker()
	results := map[string]string{}
	for _, check := range decoded[[]check](t, c.ok(c.asteroid("doctor", "--task-queue", c.queue, "--json"))) {
		results[check.Check] = check.Result
	}
	for _, name := range []string{"Temporal", "server version", "namespace", "search attributes", "task queue", "connection default", "clock"} {
		require.Equal(t, checkOK, results[name], name)
	}
	got = c.asteroid("doctor", "--task-queue", c.queue, "--connection", "wrong", "--connection", "unknown", "--webhook-url", c.api.BaseURL())
	refused(t, got, exitFailed, "3 of ")
	require.Contains(t, got.stdout, "give the worker a valid API key")
	require.Contains(t, got.stdout, "add the connection to the worker's configuration")
	require.Contains(t, got.stdout, "the receiver's own path")
}

func TestSetupCreatesSearchAttributes(t *testing.T) {
	c := newClients(t, defaultNamespace)
	for range 2 {
		require.Contains(t, c.ok(c.asteroid("setup")), "AsteroidAgent, AsteroidStatus, AsteroidQuestion")
	}
}
