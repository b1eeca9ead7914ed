package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

// addClaims adds an agent that takes a claim and an amount, and returns its id.
func (c *clients) addClaims() string {
	id := c.api.ServeAgent("claims clerk", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.Complete("success", "Filed it.", 7)}
	})
	c.api.AddVersion(id, testsuite.Version{Inputs: []testsuite.Input{
		{Name: "claim_number", Required: true, Description: "The number\x1b[31m of the claim."},
		{Name: "amount", Schema: map[string]any{"type": "number"}, Default: 5},
		{Name: "documents", Schema: map[string]any{"type": "array", "items": map[string]any{"type": "string"}}},
	}, Outputs: map[string]map[string]any{"filed": {
		"type": "object", "required": []string{"reference"},
		"properties": map[string]any{"reference": map[string]any{"type": "string"}, "total": map[string]any{"type": "number"}},
	}}, HardTimeoutMins: 90})
	return id
}

func TestAgentsAreListedAndShown(t *testing.T) {
	c := newClients(t, defaultNamespace)
	c.startWorker()
	claims := c.addClaims()
	listed := c.ok(c.asteroid("agents", "list", "--search", "CLERK", "--task-queue", c.queue))
	require.Contains(t, listed, "claims clerk  "+claims)
	require.NotContains(t, listed, "echo")
	require.Len(t, decoded[asteroid.ListAgentsResult](t, c.ok(c.asteroid("agents", "list", "--json", "--task-queue", c.queue))).Agents, len(c.api.Agents()))

	shown := c.ok(c.asteroid("agents", "show", claims, "--task-queue", c.queue))
	for _, line := range []string{"version 1, which is published", "90 minutes", "claim_number  string  required", "amount        number  default 5", "Output filed", `"reference"`} {
		require.Contains(t, shown, line)
	}
	require.NotContains(t, shown, "\x1b")
	refused(t, c.asteroid("agents", "show", claims, "--agent-version", "7", "--task-queue", c.queue), 2, "has no version 7")
	refused(t, c.asteroid("agents", "show", c.api.OrganizationID(), "--task-queue", c.queue), 3, "No agent")
	refused(t, c.asteroid("agents", "list", "--task-queue", "nobody"), 1, "no worker polls the task queue nobody")
	refused(t, c.asteroid("agents", "show"), 2, "arg")

	doctor := c.asteroid("doctor", "--task-queue", c.queue, "--agent", claims, "--agent", c.api.OrganizationID())
	require.Equal(t, 1, doctor.code)
	require.Contains(t, doctor.stdout, "version 1 is published and takes 3 inputs")
	require.Contains(t, doctor.stdout, "asteroid agents list shows")
}

func TestRunChecksInputsAndCompletesThem(t *testing.T) {
	c := newClients(t, defaultNamespace)
	c.startWorker()
	claims := c.addClaims()
	run := func(args ...string) ran {
		return c.asteroid(append([]string{"run", claims, "--task-queue", c.queue, "--check-inputs"}, args...)...)
	}
	refused(t, run("--input", "claim_nubmer=7"), 2, "claim_number is required; claim_nubmer is read by nobody: did you mean claim_number?")
	require.Empty(t, c.api.Executions())
	require.Contains(t, c.ok(run("--input", "claim_number=A-7", "--input", `amount="much"`)), "amount is a string, and the agent expects a number")
	require.Contains(t, c.ok(run("--input", "claim_number=A-7", "--check-result")), "Mismatch    the result: got number, want object")
	refused(t, run("--head"), 2, "--check-inputs does not go with --head")

	completed := c.ok(c.asteroid("__complete", "run", "--task-queue", c.queue, claims, "--input", ""))
	require.Contains(t, completed, "claim_number=")
	require.Contains(t, c.ok(c.asteroid("__complete", "run", "--task-queue", c.queue, "")), claims+"\tclaims clerk")
}

func TestGenerateWritesTypesThatCompile(t *testing.T) {
	c := newClients(t, defaultNamespace)
	c.startWorker()
	require.NoError(t, os.MkdirAll("testdata", 0o750))
	dir, err := os.MkdirTemp("testdata", "generated") //nolint:usetesting // within the module, which the code imports
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for _, args := range [][]string{{}, {"--out", filepath.Join(dir, "agent.go")}} {
		printed := c.ok(c.asteroid(append([]string{"generate", "--agent", c.addClaims(), "--package", "claims", "--task-queue", c.queue}, args...)...))
		require.Equal(t, len(args) == 0, strings.HasPrefix(printed, "// Code generated"), printed)
	}
	source, err := os.ReadFile(filepath.Join(dir, "agent.go"))
	require.NoError(t, err)
	for _, line := range []string{"package claims", "ClaimNumber string", "`json:\"claim_number\"`", "Amount *json.Number", "Documents []string", "Reference string"} {
		require.Contains(t, strings.Join(strings.Fields(string(source)), " "), line)
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "use_test.go"), []byte(`package claims

import "testing"

func TestMap(t *testing.T) {
	inputs, err := Inputs{ClaimNumber: "A-7"}.Map()
	if err != nil || len(inputs) != 1 || inputs["claim_number"] != "A-7" {
		t.Fatal(inputs, err)
	}
	_ = Result{Reference: "r"}
}
`), 0o600))
	out, err := exec.CommandContext(t.Context(), "go", "test", "./"+dir).CombinedOutput()
	require.NoError(t, err, "%s", out)

	refused(t, c.asteroid("generate"), 2, "--agent is missing")
	refused(t, c.asteroid("generate", "--agent", "x", "--package", "my-claims"), 2, "--package")
}

func TestGenerateTakesAnySchema(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"type":"array","items":`, 200) + `{}` + strings.Repeat(`}`, 200)
	for name, d := range map[string]asteroid.AgentDescription{
		"nothing":               {},
		"odd names":             {Inputs: []asteroid.AgentInput{{Name: "Map"}, {Name: "map"}, {Name: "_"}, {Name: "_1"}, {Name: "type"}, {Name: "Größe"}, {Name: "a`b\"\n"}}},
		"a comment about json.": {Outputs: []asteroid.AgentOutput{{Node: "final_json.", Schema: json.RawMessage(`{"type":"string"}`)}}},
		"odd properties":        {Outputs: []asteroid.AgentOutput{{Node: "a", Schema: json.RawMessage(`{"type":"object","properties":{"policyholder's name":{"type":"string"},"-":{}}}`)}}},
		"several outputs":       {Outputs: []asteroid.AgentOutput{{Node: "filed"}, {Node: "Filed"}, {Node: "*/ \n x"}, {Node: "世界"}}},
		"odd schemas": {Outputs: []asteroid.AgentOutput{{Node: "a", Schema: json.RawMessage(deep)}}, Inputs: []asteroid.AgentInput{
			{Name: "a", Schema: json.RawMessage(`true`)}, {Name: "b", Schema: json.RawMessage(`{"type":["string","null"]}`)}, {Name: "c", Schema: json.RawMessage(`{"type":7}`)},
			{Name: "d", Schema: json.RawMessage(`{"type":"object","properties":{"x":{},"X":{},"` + "`" + `":{}}}`)}, {Name: "e", Description: "two\nlines */"},
		}},
	} {
		source, err := generate(&d, "claims")
		for _, odd := range []string{"-,", "policyholder's"} {
			require.NotContains(t, string(source), odd, "a tag that encoding/json ignores")
		}
		require.NoError(t, err, name)
		require.Contains(t, string(source), "package claims", name)
	}
	unused, err := generate(&asteroid.AgentDescription{Outputs: []asteroid.AgentOutput{{Node: "final_json.", Schema: json.RawMessage(`{"type":"string"}`)}}}, "claims")
	require.NoError(t, err)
	require.NotContains(t, string(unused), "encoding/json", "an import that is not used does not compile")
	require.Equal(t, "ClaimNumber", goName("claim_number"))
	require.Equal(t, "ExecutionID", goName("executionId"))
}
