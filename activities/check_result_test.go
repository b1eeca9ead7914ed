package activities_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
)

// requireMembers is a checker of the keyword required only.
func requireMembers(schema, value json.RawMessage) (mismatches []string, err error) {
	var wanted struct{ Required []string }
	if err := json.Unmarshal(schema, &wanted); err != nil {
		return nil, errors.New("no schema")
	}
	var has map[string]json.RawMessage
	if value[0] != '{' {
		return []string{"must be an object"}, nil
	}
	if err := json.Unmarshal(value, &has); err != nil {
		return nil, err
	}
	for _, name := range wanted.Required {
		if has[name] == nil {
			mismatches = append(mismatches, fmt.Sprintf("%s is required\n%s", name, strings.Repeat("x", 1000)))
		}
	}
	return mismatches, nil
}

func TestCheckResultTellsWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	filed := map[string]any{"required": []string{"reference"}}
	var many []string
	for i := range 50 {
		many = append(many, fmt.Sprint("m", i))
	}
	for name, row := range map[string]struct {
		outputs    map[string]map[string]any
		last       testsuite.Step
		unchecked  string
		mismatches int
	}{
		"fits":                     {map[string]map[string]any{"filed": filed}, testsuite.Complete("success", "", map[string]any{"reference": 1}), "", 0},
		"does not fit":             {map[string]map[string]any{"filed": filed}, testsuite.Complete("success", "", map[string]any{}), "", 1},
		"another type":             {map[string]map[string]any{"filed": filed}, testsuite.Complete("success", "", "text"), "", 1},
		"many":                     {map[string]map[string]any{"filed": {"required": many}}, testsuite.Complete("success", "", map[string]any{}), "", 20},
		"at the node's own":        {map[string]map[string]any{"filed": filed, "refused": {}}, testsuite.CompleteAt("refused", "refused", "", map[string]any{}), "", 0},
		"at the other node":        {map[string]map[string]any{"filed": filed, "refused": {}}, testsuite.CompleteAt("filed", "success", "", map[string]any{}), "", 1},
		"at a node without schema": {map[string]map[string]any{"filed": filed}, testsuite.CompleteAt("refused", "refused", "", map[string]any{}), "declares no schema", 0},
		"at an unknown node":       {map[string]map[string]any{"filed": filed, "refused": {}}, testsuite.Complete("success", "", map[string]any{}), "does not tell which output", 0},
		"without a schema":         {nil, testsuite.Complete("success", "", 1), "declares no schema", 0},
		"without a result":         {map[string]map[string]any{"filed": filed}, testsuite.Fail("no"), "has no result", 0},
		"with a broken schema":     {map[string]map[string]any{"filed": {"required": 7}}, testsuite.Complete("success", "", 1), "cannot be used: no schema", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := testsuite.NewAPI(t)
			options := worker.Options{Connections: connect(api), SchemaChecker: requireMembers}
			agent := api.AddAgent("claims", func(testsuite.Run) []testsuite.Step { return []testsuite.Step{row.last} })
			api.AddVersion(agent, testsuite.Version{Outputs: row.outputs})
			env := newEnv(t, options)
			executed, err := runActivity[asteroid.ExecuteAgentResult](env, asteroid.ExecuteAgentName, asteroid.ExecuteAgentInput{AgentID: agent})
			require.NoError(t, err)
			require.Eventually(t, func() bool {
				e, _ := api.Execution(executed.ExecutionID)
				return asteroid.Status(e.Status).Terminal()
			}, 10e9, 1e7)
			in := asteroid.CheckResultInput{ExecutionID: executed.ExecutionID}
			checked, err := runActivity[asteroid.CheckResultResult](env, asteroid.CheckResultName, in)
			require.NoError(t, err)
			require.Contains(t, checked.Unchecked, row.unchecked)
			require.Equal(t, row.unchecked == "", checked.Unchecked == "", checked.Unchecked)
			require.Len(t, checked.Mismatches, row.mismatches)
			for _, mismatch := range checked.Mismatches {
				require.LessOrEqual(t, len(mismatch), 500)
				require.NotContains(t, mismatch, "\n")
			}
			options.SchemaChecker = nil
			checked, err = runActivity[asteroid.CheckResultResult](newEnv(t, options), asteroid.CheckResultName, in)
			require.NoError(t, err)
			require.Contains(t, checked.Unchecked, "SchemaChecker")
		})
	}
}
