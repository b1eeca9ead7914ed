package activities_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/activities"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
)

// everyField sets each field of the published request that goes with the others.
func everyField() activities.ExecuteAgentInput {
	return activities.ExecuteAgentInput{
		AgentID:          "a-1",
		AgentProfileID:   "p-1",
		Inputs:           activities.Inputs{"claim": json.Number("9007199254740993"), "_nested": map[string]any{"a": []any{true, nil}}},
		Metadata:         map[string]string{"order": "42"},
		ExecutionOptions: &activities.ExecutionOptions{SharedStorageKey: "shared", SoftTimeoutMins: new(int32(30))},
		TempFiles:        []activities.StagedFile{{ID: "t-1", Name: "a.csv", Size: 5, ExpiresAt: time.Now().Add(time.Hour)}},
		Version:          new(7),
		OnCapacityLimit:  activities.CapacityReject,
	}
}

func TestEveryFieldReachesTheServiceInTheDialectsOwnWords(t *testing.T) {
	t.Parallel()
	for dialect, want := range map[activities.Dialect]struct{ path, body string }{
		activities.DialectAgents: {"/agents/v2/agents/a-1/execute", `{
			"agentProfileId":"p-1","inputs":{"claim":9007199254740993,"_nested":{"a":[true,null]}},
			"executionOptions":{"sharedStorageKey":"shared","softTimeoutMins":30},
			"tempFiles":[{"id":"t-1","name":"a.csv"}],"version":7,"onCapacityLimit":"reject"}`},
		activities.DialectWorkflows: {"/agents/v2/workflows/a-1/execute", `{
			"profileId":"p-1","inputs":{"claim":9007199254740993,"_nested":{"a":[true,null]}},
			"executionOptions":{"variantKey":"shared","softTimeoutMins":30},
			"tempFiles":[{"id":"t-1","name":"a.csv"}],"version":7,"onCapacityLimit":"reject"}`},
	} {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			bodies := make(chan []byte, 1)
			connections := canned(t, func(w http.ResponseWriter, r *http.Request) {
				require.Equal(t, want.path, r.URL.Path)
				raw, _ := io.ReadAll(r.Body)
				bodies <- raw
				w.WriteHeader(http.StatusAccepted)
				_, _ = io.WriteString(w, `{"executionId":"e-1"}`)
			})
			c := connections[activities.DefaultConnection]
			c.Dialect = dialect
			env := newEnv(t, worker.Options{Connections: one(c)})
			executed, err := run[activities.ExecuteAgentResult](env, activities.ExecuteAgentName, everyField())
			require.NoError(t, err)
			require.Equal(t, "e-1", executed.ExecutionID)
			require.Equal(t, activities.StatusStarting, executed.Status)
			require.Equal(t, []activities.Decision{activities.DecisionPosted}, executed.Decisions)

			raw := <-bodies
			require.Contains(t, string(raw), "9007199254740993", "a number lost digits")
			var sent map[string]any
			require.NoError(t, json.Unmarshal(raw, &sent))
			metadata, _ := sent["metadata"].(map[string]any)
			require.Equal(t, map[string]any{
				"order":                         "42",
				activities.MetadataNamespace:    "default-test-namespace",
				activities.MetadataWorkflowID:   "default-test-workflow-id",
				activities.MetadataRunID:        "default-test-run-id",
				activities.MetadataActivityID:   metadata[activities.MetadataActivityID],
				activities.MetadataExecutionKey: executed.ExecutionKey,
			}, metadata)
			require.True(t, strings.HasPrefix(metadata[activities.MetadataExecutionKey].(string),
				"default-test-namespace/default-test-workflow-id/default-test-run-id/"))
			delete(sent, "metadata")
			rest, err := json.Marshal(sent)
			require.NoError(t, err)
			require.JSONEq(t, want.body, string(rest))
		})
	}
}

func TestPoolHeadVariantKeyAndDynamicDataReachTheService(t *testing.T) {
	t.Parallel()
	for dialect, want := range map[activities.Dialect]string{
		activities.DialectAgents:    `{"agentProfilePoolId":"pool","dynamicData":{"a":1},"executionOptions":{"variantKey":"v"},"head":true,"onCapacityLimit":"queue"}`,
		activities.DialectWorkflows: `{"profileGroupId":"pool","dynamicData":{"a":1},"executionOptions":{"variantKey":"v"},"head":true,"onCapacityLimit":"queue"}`,
	} {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			bodies := make(chan map[string]any, 1)
			connections := canned(t, func(w http.ResponseWriter, r *http.Request) {
				var body map[string]any
				_ = json.NewDecoder(r.Body).Decode(&body)
				bodies <- body
				w.WriteHeader(http.StatusAccepted)
				_, _ = io.WriteString(w, `{"executionId":"e-1","status":"queued"}`)
			})
			c := connections[activities.DefaultConnection]
			c.Dialect = dialect
			env := newEnv(t, worker.Options{Connections: one(c)})
			executed, err := run[activities.ExecuteAgentResult](env, activities.ExecuteAgentName, activities.ExecuteAgentInput{
				AgentID: "a-1", AgentProfilePoolID: "pool", DynamicData: activities.Inputs{"a": 1}, Head: true,
				ExecutionOptions: &activities.ExecutionOptions{VariantKey: "v"}, OnCapacityLimit: activities.CapacityQueue,
			})
			require.NoError(t, err)
			require.Equal(t, activities.StatusQueued, executed.Status)
			sent := <-bodies
			delete(sent, "metadata")
			raw, err := json.Marshal(sent)
			require.NoError(t, err)
			require.JSONEq(t, want, string(raw))
		})
	}
}

func TestTheServiceTakesEveryField(t *testing.T) {
	t.Parallel()
	api := testsuite.NewAPI(t)
	env := newEnv(t, worker.Options{Connections: connect(api)})
	staged, err := run[activities.StageFilesResult](env, activities.StageFilesName, activities.StageFilesInput{Files: []activities.FileRef{{URI: "data:,x"}}})
	require.NoError(t, err)
	in := everyField()
	in.AgentID, in.TempFiles, in.Version, in.AgentProfileID = api.AgentID("inventory"), staged.Files, new(1), ""
	executed, err := run[activities.ExecuteAgentResult](env, activities.ExecuteAgentName, in)
	require.NoError(t, err)
	got, _ := api.Execution(executed.ExecutionID)
	require.Equal(t, "42", got.Metadata["order"])
	require.Len(t, got.Files, 1)
}

func TestWhatTheContractForbidsIsRefusedBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	file := activities.StagedFile{ID: "t-1", Name: "a"}
	for name, row := range map[string]struct {
		in    activities.ExecuteAgentInput
		field string
		says  string
	}{
		"no agent":              {activities.ExecuteAgentInput{}, "agentId", "is required"},
		"path-like agent":       {activities.ExecuteAgentInput{AgentID: "../admin"}, "agentId", "must be an id"},
		"agent with a slash":    {activities.ExecuteAgentInput{AgentID: "a/b"}, "agentId", "must be an id"},
		"agent of dots":         {activities.ExecuteAgentInput{AgentID: ".."}, "agentId", "must be an id"},
		"agent with a query":    {activities.ExecuteAgentInput{AgentID: "a?b=c"}, "agentId", "must be an id"},
		"agent, percent":        {activities.ExecuteAgentInput{AgentID: "a%2Fb"}, "agentId", "must be an id"},
		"agent, white space":    {activities.ExecuteAgentInput{AgentID: " a"}, "agentId", "must be an id"},
		"two kinds of profile":  {activities.ExecuteAgentInput{AgentID: "a", AgentProfileID: "p", AgentProfilePoolID: "q"}, "agentProfileId", "excludes agentProfilePoolId"},
		"path-like profile":     {activities.ExecuteAgentInput{AgentID: "a", AgentProfileID: "../p"}, "agentProfileId", "must be an id"},
		"path-like pool":        {activities.ExecuteAgentInput{AgentID: "a", AgentProfilePoolID: "p/q"}, "agentProfilePoolId", "must be an id"},
		"inputs and old inputs": {activities.ExecuteAgentInput{AgentID: "a", Inputs: activities.Inputs{"a": 1}, DynamicData: activities.Inputs{"b": 1}}, "dynamicData", "former name"},
		"input name":            {activities.ExecuteAgentInput{AgentID: "a", Inputs: activities.Inputs{"claim-number": 1}}, "inputs", `"claim-number" fits no prompt`},
		"empty input name":      {activities.ExecuteAgentInput{AgentID: "a", Inputs: activities.Inputs{"": 1}}, "inputs", "fits no prompt"},
		"input begins 1":        {activities.ExecuteAgentInput{AgentID: "a", DynamicData: activities.Inputs{"1st": 1}}, "dynamicData", "fits no prompt"},
		"soft timeout 0":        {activities.ExecuteAgentInput{AgentID: "a", ExecutionOptions: &activities.ExecutionOptions{SoftTimeoutMins: new(int32(0))}}, "executionOptions.softTimeoutMins", "at least 1"},
		"soft timeout -1":       {activities.ExecuteAgentInput{AgentID: "a", ExecutionOptions: &activities.ExecutionOptions{SoftTimeoutMins: new(int32(-1))}}, "executionOptions.softTimeoutMins", "at least 1"},
		"two storage keys":      {activities.ExecuteAgentInput{AgentID: "a", ExecutionOptions: &activities.ExecutionOptions{SharedStorageKey: "x", VariantKey: "y"}}, "executionOptions.sharedStorageKey", "excludes variantKey"},
		"version and head":      {activities.ExecuteAgentInput{AgentID: "a", Version: new(1), Head: true}, "version", "excludes head"},
		"queue with files":      {activities.ExecuteAgentInput{AgentID: "a", OnCapacityLimit: activities.CapacityQueue, TempFiles: []activities.StagedFile{file}}, "onCapacityLimit", "does not go with files"},
		"unknown limit":         {activities.ExecuteAgentInput{AgentID: "a", OnCapacityLimit: "wait"}, "onCapacityLimit", "neither"},
		"reserved metadata":     {activities.ExecuteAgentInput{AgentID: "a", Metadata: map[string]string{"temporal_run_id": "x"}}, "metadata.temporal_run_id", "is reserved"},
		"reserved, upper case":  {activities.ExecuteAgentInput{AgentID: "a", Metadata: map[string]string{"Temporal_X": "x"}}, "metadata.Temporal_X", "is reserved"},
		"empty metadata key":    {activities.ExecuteAgentInput{AgentID: "a", Metadata: map[string]string{"": "x"}}, "metadata", "empty key"},
		"file without id":       {activities.ExecuteAgentInput{AgentID: "a", TempFiles: []activities.StagedFile{{Name: "a"}}}, "tempFiles[0].id", "is required"},
		"file without name":     {activities.ExecuteAgentInput{AgentID: "a", TempFiles: []activities.StagedFile{{ID: "t-1"}}}, "tempFiles[0].name", "is required"},
		"file twice":            {activities.ExecuteAgentInput{AgentID: "a", TempFiles: []activities.StagedFile{file, file}}, "tempFiles[1].id", "serves once"},
		"long key":              {activities.ExecuteAgentInput{AgentID: "a", IdempotencyKey: strings.Repeat("k", 1501)}, "idempotencyKey", "at most 1500"},
		"key in white space":    {activities.ExecuteAgentInput{AgentID: "a", IdempotencyKey: " k"}, "idempotencyKey", "white space"},
		"unknown connection":    {activities.ExecuteAgentInput{AgentID: "a", Connection: "other"}, "connection", `none named "other"; it has default`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t, worker.Options{Connections: canned(t, func(http.ResponseWriter, *http.Request) {
				t.Error("something was sent")
			})})
			_, err := env.ExecuteActivity(activities.ExecuteAgentName, row.in)
			require.True(t, activities.IsInvalidInput(err), "%v", err)
			require.True(t, applicationError(t, err).NonRetryable())
			require.Contains(t, err.Error(), row.says)
			details, _ := activities.DetailsOf(err)
			require.Equal(t, row.field, details.Field)
		})
	}
}

func TestAnExpiredFileIsToldBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	env := newEnv(t, worker.Options{Connections: canned(t, func(http.ResponseWriter, *http.Request) { t.Error("something was sent") })})
	_, err := env.ExecuteActivity(activities.ExecuteAgentName, activities.ExecuteAgentInput{AgentID: "a", TempFiles: []activities.StagedFile{
		{ID: "t-1", Name: "a.csv", ExpiresAt: time.Now().Add(-time.Second)},
	}})
	require.True(t, activities.IsStagedFileExpired(err), "%v", err)
	require.Contains(t, err.Error(), "a.csv")
}

func TestAFileThatTheServiceNoLongerHasIsStagedFileExpired(t *testing.T) {
	t.Parallel()
	api := testsuite.NewAPI(t)
	env := newEnv(t, worker.Options{Connections: connect(api)})
	_, err := env.ExecuteActivity(activities.ExecuteAgentName, activities.ExecuteAgentInput{
		AgentID: api.AgentID("inventory"), TempFiles: []activities.StagedFile{{ID: "11111111-1111-4111-8111-111111111111", Name: "a.csv"}},
	})
	require.True(t, activities.IsStagedFileExpired(err), "%v", err)
	require.Empty(t, api.Executions())
}

func TestAnAcceptanceWithoutAnIDIsOfUnknownOutcome(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"truncated": `{"executionId":"e-`, "no id": `{}`, "path-like id": `{"executionId":"../x"}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			execute := newExecute(t, worker.Options{Connections: canned(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusAccepted)
				_, _ = io.WriteString(w, body)
			})}, activities.ExecuteAgentInput{AgentID: "a-1"})
			err := execute.err()
			require.True(t, activities.IsUnavailable(err), "%v", err)
			require.EqualValues(t, 1, (*execute.details)["doubtful"])
		})
	}
}

func TestInputsKeepTheirDigits(t *testing.T) {
	t.Parallel()
	var in activities.ExecuteAgentInput
	const given = `{"agentId":"a","inputs":{"n":12345678901234567890,"list":[0.10]}}`
	require.NoError(t, json.Unmarshal([]byte(given), &in))
	again, err := json.Marshal(in)
	require.NoError(t, err)
	require.JSONEq(t, given, string(again))
	require.Contains(t, string(again), "12345678901234567890")
	require.Contains(t, string(again), "0.10")
}
