package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/cmd/internal/program"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// askTimeout bounds the wait until the agent asks.
const askTimeout = 30 * time.Second

// ask starts an agent that asks.
func (s *stack) ask(ctx context.Context) (client.WorkflowRun, error) {
	if err := s.resolve("patient", false); err != nil {
		return nil, err
	}
	return s.temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:            workflowID("asteroid-demo-question"),
		TaskQueue:     s.taskQueue,
		StaticSummary: "Run patient, which asks a person",
	}, workflows.RunAgentName, workflows.RunAgentInput{
		AgentID: s.ids["patient"],
		Inputs: asteroid.Inputs{
			"seconds": 2, "ask": "Which account shall I open?", "answers": []string{"Savings", "Checking"},
		},
	})
}

// awaitQuestion returns the agent's state when its workflow knows the question.
func (s *stack) awaitQuestion(ctx context.Context, run client.WorkflowRun) (*workflows.AgentState, error) {
	ctx, done := context.WithTimeoutCause(ctx, askTimeout, fmt.Errorf("it asked nothing within %s", askTimeout))
	defer done()
	for {
		var state workflows.State
		value, err := s.temporal.QueryWorkflow(ctx, run.GetID(), run.GetRunID(), workflows.StateQuery)
		if err == nil && value.Get(&state) == nil && len(state.Agents) == 1 && state.Agents[0].Asking != "" {
			return &state.Agents[0], nil
		}
		if !program.Sleep(ctx, 100*time.Millisecond) {
			return nil, context.Cause(ctx)
		}
	}
}

// printCommands writes what to try while the agent waits for an answer.
func (s *stack) printCommands(out io.Writer, run client.WorkflowRun, asking *workflows.AgentState) {
	question := asking.Questions[0]
	option := question.Options[0].Label
	input, _ := json.Marshal(workflows.AnswerInput{ // text always marshals
		ExecutionID: asking.ExecutionID, Asking: asking.Asking,
		Answers: []workflows.Answer{{Labels: []string{option}}},
	})
	fmt.Fprintf(out, "\nAn agent waits for a person: %s\n", question.Question)
	if page := s.server.WorkflowURL(run.GetID(), run.GetRunID()); page != "" {
		fmt.Fprintf(out, "    %s\n", page)
	}
	server := "--address " + s.server.Address() + " --namespace " + s.server.Namespace() // whatever the environment says
	fmt.Fprintf(out, "Answer it in another terminal, by one of\n    go run ./cmd/asteroid answer %s %s --option %s\n", run.GetID(), server, option)
	fmt.Fprintf(out, "    temporal workflow update execute %s --workflow-id %s --name %s --input '%s'\n",
		server, run.GetID(), workflows.AnswerUpdate, input)
}

// offerQuestion has an agent ask and prints how to answer. It returns after that, and prints later
// what became of the question. cancel ends an agent that nobody has answered.
func (s *stack) offerQuestion(ctx context.Context, out io.Writer) (cancel func(), err error) {
	run, err := s.ask(ctx)
	if err != nil {
		return nil, fmt.Errorf("start an agent that asks: %w", err)
	}
	asking, err := s.awaitQuestion(ctx, run)
	if err != nil {
		s.cancelRun(ctx, run)
		return nil, fmt.Errorf("have an agent ask: %w", err)
	}
	s.printCommands(out, run, asking)
	over := make(chan struct{})
	go func() {
		defer close(over)
		var result workflows.RunAgentResult
		err := run.Get(ctx, &result)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			fmt.Fprintf(out, "\nThe agent's workflow failed: %v\n", applicationError(err))
		default:
			fmt.Fprintf(out, "\nThe agent got an answer and completed: %s\n", result.Result())
		}
	}()
	return func() {
		<-over
		s.cancelRun(ctx, run)
	}, nil
}
