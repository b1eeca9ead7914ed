package activities_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/activities"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
)

// runEcho runs the built-in agent echo to its end and returns its execution's id.
func runEcho(t *testing.T, inputs asteroid.Inputs) (api *testsuite.API, options worker.Options, id string) {
	t.Helper()
	api, clock, options := newAPI(t)
	executed, err := runActivity[asteroid.ExecuteAgentResult](newEnv(t, options), asteroid.ExecuteAgentName,
		asteroid.ExecuteAgentInput{AgentID: api.AgentID("echo"), Inputs: inputs})
	require.NoError(t, err)
	clock.Advance(time.Hour)
	options.OutputRoots, options.SettleInterval = []string{t.TempDir()}, time.Millisecond
	return api, options, executed.ExecutionID
}

func getExecution(t *testing.T, options worker.Options, id string) (*asteroid.Execution, error) {
	t.Helper()
	return runActivity[asteroid.Execution](newEnv(t, options), asteroid.GetExecutionName, asteroid.GetExecutionInput{ExecutionID: id})
}

func TestExecutionsHaveLargeAndDeepResultsByReference(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		inputs  asteroid.Inputs
		omitted bool
	}{
		"1 B":               {asteroid.Inputs{"bytes": 1}, false},
		"at the limit":      {asteroid.Inputs{"bytes": 256 << 10}, false},
		"beyond the limit":  {asteroid.Inputs{"bytes": 256<<10 + 1}, true},
		"20 MiB":            {asteroid.Inputs{"bytes": 20 << 20}, true},
		"64 MiB":            {asteroid.Inputs{"bytes": 64 << 20}, true},
		"1,000 levels":      {asteroid.Inputs{"levels": 1000}, false},
		"10,000 levels":     {asteroid.Inputs{"levels": 10_000}, true},
		"100,000 levels":    {asteroid.Inputs{"levels": 100_000}, true},
		"escaped by Go":     {asteroid.Inputs{"text": strings.Repeat("<", 60_000)}, true},
		"not escaped by Go": {asteroid.Inputs{"text": strings.Repeat("x", 60_000)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api, options, id := runEcho(t, row.inputs)
			stored, _ := api.Execution(id)
			whole := string(stored.Result)
			for _, activity := range []string{asteroid.GetExecutionName, asteroid.AwaitExecutionName} {
				e, err := runActivity[asteroid.Execution](newEnv(t, options), activity, asteroid.GetExecutionInput{ExecutionID: id})
				require.NoError(t, err)
				require.Equal(t, sha256Hex([]byte(whole)), e.ExecutionResult.SHA256)
				require.EqualValues(t, len(whole), e.ExecutionResult.Bytes)
				if !row.omitted {
					require.Nil(t, e.ResultOmitted)
					require.JSONEq(t, whole, string(e.Result()))
					continue
				}
				require.Empty(t, e.Result())
				require.Equal(t, asteroid.OmittedResult{
					Bytes: int64(len(whole)), SHA256: sha256Hex([]byte(whole)), URI: "asteroid-execution://" + id + "/result",
				}, *e.ResultOmitted)
				err = e.DecodeResult(new(any))
				require.True(t, asteroid.IsResultTooLarge(err), "%v", err)
				require.True(t, applicationError(t, err).NonRetryable())
				require.ErrorContains(t, err, e.ResultOmitted.URI)
			}
			saved, err := runActivity[asteroid.SaveFilesResult](newEnv(t, options), asteroid.SaveFilesName, asteroid.SaveFilesInput{
				ExecutionID: id, FileSelection: asteroid.FileSelection{Result: true}, Destination: "file://" + options.OutputRoots[0],
			})
			require.NoError(t, err)
			require.Len(t, saved.Files, 1)
			require.Equal(t, sha256Hex([]byte(whole)), saved.Files[0].SHA256)
			content, err := os.ReadFile(filepath.Join(options.OutputRoots[0], id, "result.json"))
			require.NoError(t, err)
			require.True(t, whole == string(content), "the saved bytes are the agent's")
		})
	}
}

func TestExecutionsHaveResultsUpToTheWorkersLimit(t *testing.T) {
	t.Parallel()
	_, options, id := runEcho(t, asteroid.Inputs{"bytes": 1001})
	for limit, omitted := range map[int]bool{1000: true, 1001: false, 1 << 20: false, 0: false} {
		options.MaxInlineResultBytes = limit
		e, err := getExecution(t, options, id)
		require.NoError(t, err)
		require.Equal(t, omitted, e.ResultOmitted != nil, limit)
	}
	for _, limit := range []int{-1, 1<<20 + 1} {
		_, err := activities.New(activities.Options{Connections: options.Connections, MaxInlineResultBytes: limit})
		require.ErrorContains(t, err, "MaxInlineResultBytes")
	}
}

func TestExecutionsHaveCompactResults(t *testing.T) {
	t.Parallel()
	const result = " { \"a b\" : [ 1 , \"x \\\" , y\" ],\n\t\"c\":{ } } "
	const compact = `{"a b":[1,"x \" , y"],"c":{}}`
	options := worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Replace(executionJSON("completed"), "{", `{"executionResult":{"outcome":"ok","result":`+result+`},`, 1))
	})}
	e, err := getExecution(t, options, "e-1")
	require.NoError(t, err)
	require.Equal(t, compact, string(e.Result()))
	require.Equal(t, sha256Hex([]byte(compact)), e.ExecutionResult.SHA256)
}

func TestStageFilesTakesTheResultOfAnExecution(t *testing.T) {
	t.Parallel()
	api, options, id := runEcho(t, asteroid.Inputs{"bytes": 3 << 20})
	stored, _ := api.Execution(id)
	files := stageForAgent(t, api, options,
		asteroid.FileRef{URI: asteroid.ExecutionResultURI(id)},
		asteroid.FileRef{URI: "asteroid-execution://" + id + "/result", Name: "claim.txt", ContentType: "text/plain"})
	require.Len(t, files, 2)
	for i, want := range []testsuite.File{{Name: "result.json", ContentType: "application/json"}, {Name: "claim.txt", ContentType: "text/plain"}} {
		require.Equal(t, want.Name, files[i].Name)
		require.Equal(t, want.ContentType, files[i].ContentType)
		require.Equal(t, sha256Hex(stored.Result), files[i].SHA256)
	}
}

func TestStageFilesRefusesTheResultOfARunWithoutOne(t *testing.T) {
	t.Parallel()
	api, clock, options := newAPI(t)
	id := executeSteps(t, api, options, testsuite.Work(time.Minute), testsuite.Fail("broken"))
	for _, status := range []string{"starting", "failed"} {
		_, err := stageFiles(t, options, asteroid.FileRef{URI: asteroid.ExecutionResultURI(id)})
		requireErrorType(t, notFound, err)
		require.ErrorContains(t, err, "has no result: its status is "+status)
		clock.Advance(time.Hour)
	}
	listed, err := runActivity[asteroid.ListFilesResult](newEnv(t, options), asteroid.ListFilesName,
		asteroid.ListFilesInput{ExecutionID: id, FileSelection: asteroid.FileSelection{Result: true}})
	require.NoError(t, err)
	require.Empty(t, listed.Files)
}

func TestExecutionFilesCalledResultStayReachable(t *testing.T) {
	t.Parallel()
	api, clock, id := newCompletedExecution(t, nil, writeDownload("result", []byte("a file")))
	options := worker.Options{Connections: connect(api), Now: clock.Now, SettleInterval: time.Millisecond}
	files := stageForAgent(t, api, options,
		asteroid.FileRef{URI: asteroid.ExecutionFileURI(id, "downloads", "result")})
	require.Equal(t, sha256Hex([]byte("a file")), files[0].SHA256)
}

func TestListFilesListsTheResultFirst(t *testing.T) {
	t.Parallel()
	api, clock, options := newAPI(t)
	options.SettleInterval = time.Millisecond
	id := executeSteps(t, api, options, writeDownload("a.txt", []byte("a")), testsuite.Complete("success", "", map[string]any{"n": 1}))
	clock.Advance(time.Hour)
	listed, err := runActivity[asteroid.ListFilesResult](newEnv(t, options), asteroid.ListFilesName,
		asteroid.ListFilesInput{ExecutionID: id, FileSelection: asteroid.FileSelection{Result: true}})
	require.NoError(t, err)
	require.Len(t, listed.Files, 2)
	require.Equal(t, asteroid.OutputFile{
		FileRef: asteroid.FileRef{URI: asteroid.ExecutionResultURI(id), Name: "result.json", ContentType: "application/json"},
		Size:    7, SHA256: sha256Hex([]byte(`{"n":1}`)),
	}, listed.Files[0])
	require.Equal(t, "downloads", listed.Files[1].Directory)
}

func TestFileListsAreBoundedInBytes(t *testing.T) {
	t.Parallel()
	var listing []string
	for i := range 900 {
		name := strings.Repeat("ж", 60) + fmt.Sprint(i)
		listing = append(listing, fmt.Sprintf(`{"id":"f-%d","fileName":%q,"filePath":"/downloads/%s/%s","fileSize":1}`, i, name, strings.Repeat("ж", 100), name))
	}
	f := &executionFiles{listing: `{"directories":{"downloads":[` + strings.Join(listing, ",") + `]}}`, serve: func(http.ResponseWriter, *http.Request) { t.Error("a file was read") }}
	options := worker.Options{Connections: f.start(t), OutputRoots: []string{t.TempDir()}, SettleInterval: time.Millisecond}
	_, err := runActivity[asteroid.ListFilesResult](newEnv(t, options), asteroid.ListFilesName, asteroid.ListFilesInput{ExecutionID: "e-1"})
	requireErrorType(t, invalidInput, err)
	require.ErrorContains(t, err, "names: select 900 files")
	_, err = runActivity[asteroid.SaveFilesResult](newEnv(t, options), asteroid.SaveFilesName,
		asteroid.SaveFilesInput{ExecutionID: "e-1", Destination: "file://" + options.OutputRoots[0]})
	requireErrorType(t, invalidInput, err)
}

func TestGetExecutionBoundsTheTextsOfTheService(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 1<<20)
	var options []string
	for i := range 500 {
		options = append(options, fmt.Sprintf(`{"label":"%d %s"}`, i, long[:1000]))
	}
	question := fmt.Sprintf(`{"question":%q,"header":"a\u202eb\u0000\u001b","options":[%s]}`, long, strings.Join(options, ","))
	env := newEnv(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/activities") {
			_, _ = fmt.Fprintf(w, `[{"timestamp":"2026-01-02T03:04:07Z","payload":{"activityType":"status_changed","status":"paused_by_agent",
				"pausedPayload":{"reason":%q,"question":{"questions":[%s]}}}}]`, long, strings.TrimSuffix(strings.Repeat(question+",", 5), ","))
			return
		}
		_, _ = fmt.Fprintf(w, `{"id":"e-1","status":"paused_by_agent","agentId":%q,"agentName":"pay\u202egpj.exe%s","platformUrl":"https://a/%s",
			"liveViewUrl":"https://a/\u202eb","executionResult":{"outcome":%q,"reasoning":%q}}`, long, long, long, long, long)
	})})
	e, err := runActivity[asteroid.Execution](env, asteroid.GetExecutionName, asteroid.GetExecutionInput{ExecutionID: "e-1"})
	require.NoError(t, err)
	encoded, err := json.Marshal(e)
	require.NoError(t, err)
	require.Less(t, len(encoded), 32<<10)
	for _, cut := range []string{e.AgentID, e.AgentName, e.Reason, e.ExecutionResult.Outcome, e.ExecutionResult.Reasoning, e.Questions[0].Options[0].Label} {
		require.True(t, strings.HasSuffix(cut, "..."), cut)
	}
	require.True(t, strings.HasPrefix(e.AgentName, "pay\ufffdgpj.exe"))
	require.Equal(t, "a\ufffdb\ufffd\ufffd", e.Questions[0].Header)
	require.Contains(t, e.Questions[0].Question, "more answers)")
	require.Contains(t, e.Questions[len(e.Questions)-1].Question, "more questions)")
	require.Empty(t, e.PlatformURL)
	require.Empty(t, e.LiveViewURL)
}

func TestAwaitExecutionEndsWithResultsOfAnySize(t *testing.T) {
	t.Parallel()
	body := strings.Replace(executionJSON("completed"), "{", `{"executionResult":{"outcome":"ok","result":"`+strings.Repeat("x", 20<<20)+`"},`, 1)
	for name, row := range map[string]struct {
		size int // of white space, in MiB
		want string
	}{"20 MiB": {0, ""}, "more than can be read": {60, asteroid.ErrorTypeResultTooLarge}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			padding := strings.Repeat(" ", row.size<<20)
			a := &attempts[asteroid.Execution]{
				t: t, name: asteroid.AwaitExecutionName, attempt: 5,
				in: asteroid.AwaitExecutionInput{ExecutionID: "e-1", LongPollSeconds: 1}, options: worker.Options{
					Connections: serveAPI(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, padding+body) }),
				},
			}
			e, err := a.next()
			if row.want == "" {
				require.NoError(t, err)
				require.NotNil(t, e.ResultOmitted)
				return
			}
			requireErrorType(t, row.want, err)
			require.True(t, applicationError(t, err).NonRetryable())
			require.NotContains(t, err.Error(), "still be running")
		})
	}
}

func TestAwaitExecutionBoundsAStatusThatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	a := &attempts[asteroid.Execution]{
		t: t, name: asteroid.AwaitExecutionName, in: asteroid.AwaitExecutionInput{ExecutionID: "e-1"},
		options: worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, executionJSON(strings.Repeat("s", 3<<20)))
		})},
	}
	require.True(t, asteroid.IsStillRunning(a.nextErr()))
	recorded, err := json.Marshal(a.details)
	require.NoError(t, err)
	require.Less(t, len(recorded), 1000)
}
