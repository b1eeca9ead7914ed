package activities_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdkworker "go.temporal.io/sdk/worker"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
)

func TestExecuteAgentIsOneRequestWithoutFaults(t *testing.T) {
	t.Parallel()
	f := newAgentFixture(t)
	result, err := newExecuteAgent(t, f.options, asteroid.ExecuteAgentInput{AgentID: f.agent}).next()
	require.NoError(t, err)
	require.False(t, result.Adopted)
	require.False(t, result.MayHaveLateDuplicate)
	require.Len(t, f.api.Requests(), 1)
}

// everyField returns an input with every field that may be combined with the others.
func everyField() asteroid.ExecuteAgentInput {
	return asteroid.ExecuteAgentInput{
		AgentID:          "a-1",
		AgentProfileID:   "p-1",
		Inputs:           asteroid.Inputs{"claim": json.Number("9007199254740993"), "_nested": map[string]any{"a": []any{true, nil}}},
		Metadata:         map[string]string{"order": "42"},
		ExecutionOptions: &asteroid.ExecutionOptions{SharedStorageKey: "shared", SoftTimeoutMins: new(int32(30))},
		TempFiles:        []asteroid.StagedFile{{ID: "t-1", Name: "a.csv", Size: 5, ExpiresAt: time.Now().Add(time.Hour)}},
		Version:          new(7),
		OnCapacityLimit:  asteroid.CapacityReject,
	}
}

func TestExecuteAgentSendsEveryFieldInEachDialect(t *testing.T) {
	t.Parallel()
	for dialect, want := range map[asteroid.Dialect]struct{ path, body string }{
		asteroid.DialectAgents: {"/agents/v2/agents/a-1/execute", `{
			"agentProfileId":"p-1","inputs":{"claim":9007199254740993,"_nested":{"a":[true,null]}},
			"executionOptions":{"sharedStorageKey":"shared","softTimeoutMins":30},
			"tempFiles":[{"id":"t-1","name":"a.csv"}],"version":7,"onCapacityLimit":"reject"}`},
		asteroid.DialectWorkflows: {"/agents/v2/workflows/a-1/execute", `{
			"profileId":"p-1","inputs":{"claim":9007199254740993,"_nested":{"a":[true,null]}},
			"executionOptions":{"variantKey":"shared","softTimeoutMins":30},
			"tempFiles":[{"id":"t-1","name":"a.csv"}],"version":7,"onCapacityLimit":"reject"}`},
	} {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			bodies := make(chan []byte, 1)
			connections := serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
				require.Equal(t, want.path, r.URL.Path)
				raw, _ := io.ReadAll(r.Body)
				bodies <- raw
				w.WriteHeader(http.StatusAccepted)
				_, _ = io.WriteString(w, `{"executionId":"e-1"}`)
			})
			c := connections[asteroid.DefaultConnection]
			c.Dialect = dialect
			env := newEnv(t, worker.Options{Connections: asDefault(c)})
			executed, err := runActivity[asteroid.ExecuteAgentResult](env, asteroid.ExecuteAgentName, everyField())
			require.NoError(t, err)
			require.Equal(t, "e-1", executed.ExecutionID)
			require.Equal(t, asteroid.StatusStarting, executed.Status)
			require.Equal(t, []asteroid.Decision{asteroid.DecisionPosted}, executed.Decisions)

			raw := <-bodies
			require.Contains(t, string(raw), "9007199254740993", "a number lost digits")
			var sent map[string]any
			require.NoError(t, json.Unmarshal(raw, &sent))
			metadata, _ := sent["metadata"].(map[string]any)
			require.Equal(t, map[string]any{
				"order":                       "42",
				asteroid.MetadataNamespace:    "default-test-namespace",
				asteroid.MetadataWorkflowID:   "default-test-workflow-id",
				asteroid.MetadataRunID:        "default-test-run-id",
				asteroid.MetadataActivityID:   metadata[asteroid.MetadataActivityID],
				asteroid.MetadataRequest:      metadata[asteroid.MetadataRequest],
				asteroid.MetadataExecutionKey: executed.ExecutionKey,
			}, metadata)
			require.True(t, strings.HasPrefix(metadata[asteroid.MetadataExecutionKey].(string),
				"default-test-namespace/default-test-workflow-id/default-test-run-id/"))
			delete(sent, "metadata")
			rest, err := json.Marshal(sent)
			require.NoError(t, err)
			require.JSONEq(t, want.body, string(rest))
		})
	}
}

func TestExecuteAgentSendsPoolHeadVariantKeyAndDynamicData(t *testing.T) {
	t.Parallel()
	for dialect, want := range map[asteroid.Dialect]string{
		asteroid.DialectAgents:    `{"agentProfilePoolId":"pool","dynamicData":{"a":1},"executionOptions":{"variantKey":"v"},"head":true,"onCapacityLimit":"queue"}`,
		asteroid.DialectWorkflows: `{"profileGroupId":"pool","dynamicData":{"a":1},"executionOptions":{"variantKey":"v"},"head":true,"onCapacityLimit":"queue"}`,
	} {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			bodies := make(chan map[string]any, 1)
			connections := serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
				var body map[string]any
				_ = json.NewDecoder(r.Body).Decode(&body)
				bodies <- body
				w.WriteHeader(http.StatusAccepted)
				_, _ = io.WriteString(w, `{"executionId":"e-1","status":"queued"}`)
			})
			c := connections[asteroid.DefaultConnection]
			c.Dialect = dialect
			env := newEnv(t, worker.Options{Connections: asDefault(c)})
			executed, err := runActivity[asteroid.ExecuteAgentResult](env, asteroid.ExecuteAgentName, asteroid.ExecuteAgentInput{
				AgentID: "a-1", AgentProfilePoolID: "pool", DynamicData: asteroid.Inputs{"a": 1}, Head: true, //nolint:staticcheck // the former name must still work
				ExecutionOptions: &asteroid.ExecutionOptions{VariantKey: "v"}, OnCapacityLimit: asteroid.CapacityQueue,
			})
			require.NoError(t, err)
			require.Equal(t, asteroid.StatusQueued, executed.Status)
			sent := <-bodies
			delete(sent, "metadata")
			raw, err := json.Marshal(sent)
			require.NoError(t, err)
			require.JSONEq(t, want, string(raw))
		})
	}
}

func TestExecuteAgentSendsOnlyFieldsThatAPIAccepts(t *testing.T) {
	t.Parallel()
	api := testsuite.NewAPI(t)
	env := newEnv(t, worker.Options{Connections: connect(api)})
	staged, err := runActivity[asteroid.StageFilesResult](env, asteroid.StageFilesName, asteroid.StageFilesInput{Files: []asteroid.FileRef{{URI: "data:,x"}}})
	require.NoError(t, err)
	in := everyField()
	in.AgentID, in.TempFiles, in.Version, in.AgentProfileID = api.AgentID("inventory"), staged.Files, new(1), ""
	executed, err := runActivity[asteroid.ExecuteAgentResult](env, asteroid.ExecuteAgentName, in)
	require.NoError(t, err)
	got, _ := api.Execution(executed.ExecutionID)
	require.Equal(t, "42", got.Metadata["order"])
	require.Len(t, got.Files, 1)
}

func TestExecuteAgentInputKeepsDigits(t *testing.T) {
	t.Parallel()
	var in asteroid.ExecuteAgentInput
	const given = `{"agentId":"a","inputs":{"n":12345678901234567890,"list":[0.10]}}`
	require.NoError(t, json.Unmarshal([]byte(given), &in))
	again, err := json.Marshal(in)
	require.NoError(t, err)
	require.JSONEq(t, given, string(again))
	require.Contains(t, string(again), "12345678901234567890")
	require.Contains(t, string(again), "0.10")
}

func TestExecuteAgentRejectsInvalidInputBeforeSending(t *testing.T) {
	t.Parallel()
	file := asteroid.StagedFile{ID: "t-1", Name: "a"}
	for name, row := range map[string]struct {
		in      asteroid.ExecuteAgentInput
		field   string
		message string
	}{
		"no agent":              {asteroid.ExecuteAgentInput{}, "agentId", "is required"},
		"path-like agent":       {asteroid.ExecuteAgentInput{AgentID: "../admin"}, "agentId", "must be an id"},
		"agent with a slash":    {asteroid.ExecuteAgentInput{AgentID: "a/b"}, "agentId", "must be an id"},
		"agent of dots":         {asteroid.ExecuteAgentInput{AgentID: ".."}, "agentId", "must be an id"},
		"agent with a query":    {asteroid.ExecuteAgentInput{AgentID: "a?b=c"}, "agentId", "must be an id"},
		"agent, percent":        {asteroid.ExecuteAgentInput{AgentID: "a%2Fb"}, "agentId", "must be an id"},
		"agent, white space":    {asteroid.ExecuteAgentInput{AgentID: " a"}, "agentId", "must be an id"},
		"two kinds of profile":  {asteroid.ExecuteAgentInput{AgentID: "a", AgentProfileID: "p", AgentProfilePoolID: "q"}, "agentProfileId", "excludes agentProfilePoolId"},
		"path-like profile":     {asteroid.ExecuteAgentInput{AgentID: "a", AgentProfileID: "../p"}, "agentProfileId", "must be an id"},
		"path-like pool":        {asteroid.ExecuteAgentInput{AgentID: "a", AgentProfilePoolID: "p/q"}, "agentProfilePoolId", "must be an id"},
		"inputs and old inputs": {asteroid.ExecuteAgentInput{AgentID: "a", Inputs: asteroid.Inputs{"a": 1}, DynamicData: asteroid.Inputs{"b": 1}}, "dynamicData", "former name"}, //nolint:staticcheck // the former name must still work
		"input name":            {asteroid.ExecuteAgentInput{AgentID: "a", Inputs: asteroid.Inputs{"claim-number": 1}}, "inputs", `"claim-number" fits no prompt`},
		"empty input name":      {asteroid.ExecuteAgentInput{AgentID: "a", Inputs: asteroid.Inputs{"": 1}}, "inputs", "fits no prompt"},
		"input begins 1":        {asteroid.ExecuteAgentInput{AgentID: "a", DynamicData: asteroid.Inputs{"1st": 1}}, "dynamicData", "fits no prompt"}, //nolint:staticcheck // the former name must still work
		"soft timeout 0":        {asteroid.ExecuteAgentInput{AgentID: "a", ExecutionOptions: &asteroid.ExecutionOptions{SoftTimeoutMins: new(int32(0))}}, "executionOptions.softTimeoutMins", "at least 1"},
		"soft timeout -1":       {asteroid.ExecuteAgentInput{AgentID: "a", ExecutionOptions: &asteroid.ExecutionOptions{SoftTimeoutMins: new(int32(-1))}}, "executionOptions.softTimeoutMins", "at least 1"},
		"two storage keys":      {asteroid.ExecuteAgentInput{AgentID: "a", ExecutionOptions: &asteroid.ExecutionOptions{SharedStorageKey: "x", VariantKey: "y"}}, "executionOptions.sharedStorageKey", "excludes variantKey"},
		"version and head":      {asteroid.ExecuteAgentInput{AgentID: "a", Version: new(1), Head: true}, "version", "excludes head"},
		"queue with files":      {asteroid.ExecuteAgentInput{AgentID: "a", OnCapacityLimit: asteroid.CapacityQueue, TempFiles: []asteroid.StagedFile{file}}, "onCapacityLimit", "does not go with files"},
		"unknown limit":         {asteroid.ExecuteAgentInput{AgentID: "a", OnCapacityLimit: "wait"}, "onCapacityLimit", "neither"},
		"reserved metadata":     {asteroid.ExecuteAgentInput{AgentID: "a", Metadata: map[string]string{"temporal_run_id": "x"}}, "metadata.temporal_run_id", "is reserved"},
		"reserved, upper case":  {asteroid.ExecuteAgentInput{AgentID: "a", Metadata: map[string]string{"Temporal_X": "x"}}, "metadata.Temporal_X", "is reserved"},
		"empty metadata key":    {asteroid.ExecuteAgentInput{AgentID: "a", Metadata: map[string]string{"": "x"}}, "metadata", "empty key"},
		"file without id":       {asteroid.ExecuteAgentInput{AgentID: "a", TempFiles: []asteroid.StagedFile{{Name: "a"}}}, "tempFiles[0].id", "is required"},
		"file without name":     {asteroid.ExecuteAgentInput{AgentID: "a", TempFiles: []asteroid.StagedFile{{ID: "t-1"}}}, "tempFiles[0].name", "is required"},
		"file twice":            {asteroid.ExecuteAgentInput{AgentID: "a", TempFiles: []asteroid.StagedFile{file, file}}, "tempFiles[1].id", "serves once"},
		"long key":              {asteroid.ExecuteAgentInput{AgentID: "a", IdempotencyKey: strings.Repeat("k", 1501)}, "idempotencyKey", "at most 1500"},
		"key in white space":    {asteroid.ExecuteAgentInput{AgentID: "a", IdempotencyKey: " k"}, "idempotencyKey", "white space"},
		"unknown connection":    {asteroid.ExecuteAgentInput{AgentID: "a", Connection: "other"}, "connection", `none named "other"; it has default`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t, worker.Options{Connections: expectNoRequest(t)})
			_, err := env.ExecuteActivity(asteroid.ExecuteAgentName, row.in)
			require.True(t, asteroid.IsInvalidInput(err), "%v", err)
			require.True(t, applicationError(t, err).NonRetryable())
			require.Contains(t, err.Error(), row.message)
			details, _ := asteroid.DetailsOf(err)
			require.Equal(t, row.field, details.Field)
		})
	}
}

func TestExecuteAgentInputRejectsNumberedKey(t *testing.T) {
	t.Parallel()
	in := asteroid.ExecuteAgentInput{AgentID: "a", IdempotencyKey: "claim-7#2"}
	require.True(t, asteroid.IsInvalidInput(in.Validate()))
	in.IdempotencyKey = "claim#7-2"
	require.NoError(t, in.Validate())
}

func TestExecuteAgentRejectsExpiredFileBeforeSending(t *testing.T) {
	t.Parallel()
	env := newEnv(t, worker.Options{Connections: expectNoRequest(t)})
	_, err := env.ExecuteActivity(asteroid.ExecuteAgentName, asteroid.ExecuteAgentInput{AgentID: "a", TempFiles: []asteroid.StagedFile{
		{ID: "t-1", Name: "a.csv", ExpiresAt: time.Now().Add(-time.Second)},
	}})
	require.True(t, asteroid.IsStagedFileExpired(err), "%v", err)
	require.Contains(t, err.Error(), "a.csv")
}

func TestExecuteAgentReportsMissingFileAsStagedFileExpired(t *testing.T) {
	t.Parallel()
	api := testsuite.NewAPI(t)
	env := newEnv(t, worker.Options{Connections: connect(api)})
	_, err := env.ExecuteActivity(asteroid.ExecuteAgentName, asteroid.ExecuteAgentInput{
		AgentID: api.AgentID("inventory"), TempFiles: []asteroid.StagedFile{{ID: "11111111-1111-4111-8111-111111111111", Name: "a.csv"}},
	})
	require.True(t, asteroid.IsStagedFileExpired(err), "%v", err)
	require.Empty(t, api.Executions())
}

func TestExecuteAgentClassifiesRefusalByStatusNotWording(t *testing.T) {
	t.Parallel()
	for status, is := range map[int]func(error) bool{413: asteroid.IsInvalidInput, 429: asteroid.IsAtCapacity, 400: asteroid.IsInvalidInput} {
		env := newEnv(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "temp files exceed the limit of 200 MB")
		})})
		_, err := env.ExecuteActivity(asteroid.ExecuteAgentName, asteroid.ExecuteAgentInput{AgentID: "a-1"})
		require.True(t, is(err), "%d: %v", status, err)
	}
}

func TestExecuteAgentReadsResponseWhileWorkerStops(t *testing.T) {
	t.Parallel()
	began, answer := make(chan struct{}), make(chan struct{})
	ctx, stop := context.WithCancel(context.Background())
	env := newEnvWith(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, _ *http.Request) {
		close(began)
		<-answer
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write([]byte(`{"executionId":"e-1"}`))
	})}, sdkworker.Options{BackgroundActivityContext: ctx})
	go func() { <-began; stop(); close(answer) }()
	result, err := runActivity[asteroid.ExecuteAgentResult](env, asteroid.ExecuteAgentName, asteroid.ExecuteAgentInput{AgentID: "a-1"})
	require.NoError(t, err)
	require.Equal(t, "e-1", result.ExecutionID)
}
