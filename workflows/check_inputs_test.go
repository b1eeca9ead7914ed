package workflows_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// claimsAgent serves an agent whose second version takes a claim and an amount.
func (b *bench) claimsAgent() string {
	agent := b.api.ServeAgent("claims", func(run testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.Complete("success", "", run.Version)}
	})
	b.api.AddVersion(agent, testsuite.Version{})
	b.api.AddVersion(agent, testsuite.Version{Inputs: []testsuite.Input{
		{Name: "claim", Required: true}, {Name: "amount", Schema: map[string]any{"type": []string{"number", "null"}}},
		{Name: "currency", Required: true, Default: "EUR"},
	}})
	return agent
}

func TestRunAgentRefusesInputsThatTheVersionDoesNotTake(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		inputs asteroid.Inputs
		says   []string
	}{
		"misspelt":          {asteroid.Inputs{"claim": "7", "amuont": 5}, []string{"amuont is read by nobody: did you mean amount?"}},
		"missing":           {asteroid.Inputs{"amount": 5}, []string{"claim is required"}},
		"null":              {asteroid.Inputs{"claim": nil}, []string{"claim is required"}},
		"both, and unknown": {asteroid.Inputs{"Claim_": "7", "x": 1}, []string{"claim is required", "did you mean claim?", "x is read by nobody; the inputs are amount, claim, currency"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			_, err := b.runAgent(t, workflows.RunAgentInput{
				AgentID: b.claimsAgent(), Inputs: row.inputs, CheckInputs: true, Files: []asteroid.FileRef{{URI: "data:,x", Name: "x.txt"}},
			})
			requireFinal(t, err, asteroid.ErrorTypeInvalidInput)
			for _, says := range row.says {
				require.ErrorContains(t, err, says)
			}
			require.Empty(t, b.api.Executions())
			require.Zero(t, b.requests("TempFilesStage"), "nothing is staged")
		})
	}
}

func TestRunAgentRunsTheVersionThatWasChecked(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	agent := b.claimsAgent()
	published := false
	b.connect(func(c *asteroid.Connection) {
		c.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/execute") && !published {
				published = true
				b.api.AddVersion(agent, testsuite.Version{}) // between the check and the execute
			}
			return http.DefaultTransport.RoundTrip(r)
		})
	})
	result, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent, CheckInputs: true, Inputs: asteroid.Inputs{"claim": "7", "amount": "five"}})
	require.NoError(t, err)
	require.Equal(t, 2, result.WorkflowVersion)
	require.JSONEq(t, "2", string(result.ExecutionResult.Result), "the execute names it")
	require.Equal(t, []string{"amount is a string, and the agent expects a number or null"}, result.Warnings)
}

func TestRunAgentChecksTheNamedVersion(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	in := workflows.RunAgentInput{AgentID: b.claimsAgent(), CheckInputs: true, Version: new(1), Inputs: asteroid.Inputs{"claim": "7"}}
	_, err := b.runAgent(t, in)
	require.ErrorContains(t, err, "claim is read by nobody; the agent takes no inputs")
	b = newBench(t)
	in.AgentID, in.Version = b.claimsAgent(), new(9)
	_, err = b.runAgent(t, in)
	requireFinal(t, err, asteroid.ErrorTypeInvalidInput)
	require.ErrorContains(t, err, "has no version 9")
	b = newBench(t)
	in.AgentID, in.Version, in.Head = b.claimsAgent(), nil, true
	_, err = b.runAgent(t, in)
	require.NoError(t, err, "the inputs of the head may change")
	require.Zero(t, b.requests("AgentWorkflowsList"))
}

func TestRunAgentOnlyWarnsIfVersionsAreNotServed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	agent := b.claimsAgent()
	b.connect(func(c *asteroid.Connection) {
		c.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/workflows") {
				return &http.Response{StatusCode: 404, Header: http.Header{"Content-Type": {"text/plain"}}, Request: r, Body: io.NopCloser(strings.NewReader("404 page not found"))}, nil
			}
			return http.DefaultTransport.RoundTrip(r)
		})
	})
	result, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent, CheckInputs: true, Inputs: asteroid.Inputs{"x": 1}})
	require.NoError(t, err)
	require.Len(t, result.Warnings, 1)
}

func TestRunAgentTellsThatAResultDoesNotFit(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		checker  asteroid.SchemaChecker
		mismatch []string
		warnings int
	}{
		"does not fit": {func(schema, value json.RawMessage) ([]string, error) {
			return []string{string(schema) + string(value)}, nil
		}, []string{`{"type":"object"}7`}, 0},
		"fits":       {func(json.RawMessage, json.RawMessage) ([]string, error) { return nil, nil }, nil, 0},
		"broken":     {func(json.RawMessage, json.RawMessage) ([]string, error) { return nil, errors.New("broken") }, nil, 1},
		"no checker": {nil, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.schemaChecker = row.checker
			agent := b.api.AddAgent("claims", func(testsuite.Run) []testsuite.Step { return []testsuite.Step{testsuite.Complete("success", "", 7)} })
			b.api.AddVersion(agent, testsuite.Version{Outputs: map[string]map[string]any{"filed": {"type": "object"}}})
			result, err := b.runAgent(t, workflows.RunAgentInput{
				AgentID: agent, CheckResult: true, Reexecution: &workflows.Reexecution{MaximumExecutions: 3},
			})
			require.NoError(t, err)
			require.Equal(t, row.mismatch, result.ResultMismatch)
			require.Len(t, result.Warnings, row.warnings)
			require.Len(t, b.api.Executions(), 1, "the agent has acted")
		})
	}
}
