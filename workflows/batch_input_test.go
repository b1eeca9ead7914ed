package workflows_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/workflows"
)

func TestBatchRefusesInvalidInputsBeforeItBegins(t *testing.T) {
	t.Parallel()
	type object = map[string]any
	set := func(path string, value any) func(object) {
		return func(in object) {
			names := strings.Split(path, ".")
			for _, name := range names[:len(names)-1] {
				if in[name] == nil {
					in[name] = object{}
				}
				in = in[name].(object)
			}
			in[names[len(names)-1]] = value
		}
	}
	for name, row := range map[string]struct {
		change func(object)
		field  string
	}{
		"no rows":                {set("rows", object{}), "rows"},
		"rows twice":             {set("rows.inline", []object{{"a": 1}}), "rows.inline"},
		"no destination":         {set("results.destination", ""), "results.destination"},
		"no agent":               {set("template.agentId", ""), "template.agentId"},
		"a key of the template":  {set("template.idempotencyKey", "k"), "template.idempotencyKey"},
		"an unknown member":      {set("maxConcurent", 5), "maxConcurent"},
		"one of the template":    {set("template.input", object{}), "template.input"},
		"a mistyped member":      {set("failures.stopAfter", "5"), "failures.stopAfter"},
		"too many at once":       {set("maxConcurrent", 1001), "maxConcurrent"},
		"fewer than none":        {set("maxConcurrent", -1), "maxConcurrent"},
		"a share above all":      {set("failures.stopShare", 1.5), "failures.stopShare"},
		"a share below nothing":  {set("failures.stopShare", -0.1), "failures.stopShare"},
		"too many reruns":        {set("failures.reruns", 11), "failures.reruns"},
		"an unknown format":      {set("rows.format", "xlsx"), "rows.format"},
		"a rerun of malformed":   {set("rows.onMalformed", "rerun"), "rows.onMalformed"},
		"a policy of the agents": {set("template.onCancel", "kill"), "template.onCancel"},
		"a large template":       {set("template.inputs.text", strings.Repeat("x", 65<<10)), "template"},
		"a whole template": {set("template", object{"agentId": "a", "files": []object{{"uri": "data:,a"}}, "onCapacityLimit": "queue"}),
			"template.onCapacityLimit"},
		"a key with white space": {set("batchKey", " claims"), "batchKey"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			encoded, err := json.Marshal(batchInput(5))
			require.NoError(t, err)
			in := object{}
			require.NoError(t, json.Unmarshal(encoded, &in))
			row.change(in)
			b := newBatchBench(t, 5)
			b.ExecuteWorkflow(workflows.BatchName, in)
			err = b.GetWorkflowError()
			require.True(t, asteroid.IsInvalidInput(err), "%v", err)
			details, _ := asteroid.DetailsOf(err)
			require.Equal(t, row.field, details.Field)
			require.Empty(t, b.plans)
			value, err := b.QueryWorkflow(workflows.StateQuery)
			require.NoError(t, err)
			var state workflows.BatchState
			require.NoError(t, value.Get(&state))
			require.Equal(t, "failed", state.Phase)
			require.Contains(t, state.Error, row.field)
		})
	}
}

func TestBatchTakesPlaceholdersWhereATextWouldBeRefused(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t, 2)
	in := batchInput(2)
	in.InputColumns = []string{"*"}
	in.Template.Files = []asteroid.FileRef{{URI: "{{claim}}"}}
	_, err := b.runBatch(t, in)
	require.NoError(t, err)
	require.Equal(t, []string{"*"}, b.plans[0].InputColumns)
	require.Contains(t, string(b.plans[0].Template), `"uri":"{{claim}}"`)
}

func TestRowNamesAreBoundedAndDistinct(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("k", 3000)
	keys := []string{"a", "a/1", "a/1/1", "a 1", "A", "%", "~", "é", long, long + "x", ""}
	seen := map[string]string{}
	for _, batch := range []string{"b", "b/row", long} {
		for _, key := range keys {
			for _, name := range []string{workflows.RowID(batch, key, 1), "key " + workflows.RowKey("n", batch, key, 1)} {
				require.LessOrEqual(t, len(name), 600)
				require.Empty(t, seen[name], "%s is that of %q, too", name, key)
				seen[name] = "of " + key
				require.Equal(t, strings.TrimSpace(name), name)
			}
		}
	}
	require.Equal(t, "claims/row/C-1/2", workflows.RowID("claims", "C-1", 2))
	require.Equal(t, "production/claims-2026-11/C-1/2", workflows.RowKey("production", "claims-2026-11", "C-1", 2))
}

// The workflow checks the key, and then each activity does. Keys that nobody gave have to pass,
// too.
func TestBatchKeysPassEveryCheck(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ key, id, used string }{
		"given":         {strings.Repeat("k", 400), batchID, strings.Repeat("k", 400)},
		"of a long id":  {"", strings.Repeat("i", 400), strings.Repeat("i", 400)},
		"of a huge id":  {"", strings.Repeat("i", 900), ""},
		"of a short id": {"", batchID, batchID},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBatchBench(t, 2)
			in := batchInput(2)
			in.BatchKey = row.key
			var result workflows.BatchResult
			b.ExecuteWorkflow(func(ctx workflow.Context) error {
				ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: row.id})
				return workflow.ExecuteChildWorkflow(ctx, workflows.BatchName, in).Get(ctx, &result)
			})
			require.NoError(t, b.GetWorkflowError())
			require.Equal(t, 2, result.Counts.Succeeded)
			if row.used != "" {
				require.Equal(t, row.used, b.plans[0].BatchKey)
			}
		})
	}
}

func TestExecuteBatchMakesAKeyThatPassesEveryCheck(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t, 2)
	in := batchInput(2)
	in.Results.Destination = "file:///srv/" + strings.Repeat("d", 300)
	b.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: strings.Repeat("i", 250), TaskQueue: "batches"})
	var result workflows.BatchResult
	b.ExecuteWorkflow(func(ctx workflow.Context) error { return workflows.ExecuteBatch(ctx, in).Get(ctx, &result) })
	require.NoError(t, b.GetWorkflowError())
	require.Equal(t, 2, result.Counts.Succeeded)
	require.Greater(t, len(b.plans[0].BatchKey), 250)
}
