package asteroid_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
)

type validator interface{ Validate() error }

// invalid is an input that breaks a rule, the field at fault, and the rest of the message.
type invalid struct {
	input validator
	field string
	rule  string
}

func testInvalid(t *testing.T, rows map[string]invalid) {
	t.Helper()
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := row.input.Validate()
			require.True(t, asteroid.IsInvalidInput(err), "%v", err)
			details, _ := asteroid.DetailsOf(err)
			require.Equal(t, row.field, details.Field)
			var application *temporal.ApplicationError
			require.ErrorAs(t, err, &application)
			require.True(t, application.NonRetryable())
			require.Equal(t, row.field+": "+row.rule, application.Message())
		})
	}
}

func testValid(t *testing.T, inputs map[string]validator) {
	t.Helper()
	for name, input := range inputs {
		require.NoError(t, input.Validate(), name)
	}
}

const (
	notAnID   = ` must be an id as the service gives it, of letters, digits, and - _ . ~`
	oneFile   = "name at least one file"
	tooMany   = "are 1001, more than 1000: put them into an archive"
	directory = " is not a directory of an execution: use uploads, downloads, workspace, shared or debug"
	pattern   = " is not a pattern for a file name: write *.pdf or report-?.csv"
)

func TestEveryInputNeedsItsIDs(t *testing.T) {
	t.Parallel()
	rows := map[string]invalid{}
	for field, inputs := range map[string]map[string]func(id string) validator{
		"executionId": {
			"AttachFiles": func(id string) validator {
				return &asteroid.AttachFilesInput{ExecutionID: id, Files: make([]asteroid.FileRef, 1)}
			},
			"AwaitExecution": func(id string) validator {
				return &asteroid.AwaitExecutionInput{ExecutionID: id}
			},
			"CheckUploads": func(id string) validator {
				return &asteroid.CheckUploadsInput{ExecutionID: id}
			},
			"GetExecution": func(id string) validator {
				return &asteroid.GetExecutionInput{ExecutionID: id}
			},
			"ListFiles": func(id string) validator {
				return &asteroid.ListFilesInput{ExecutionID: id}
			},
			"SaveFiles": func(id string) validator {
				return &asteroid.SaveFilesInput{ExecutionID: id, Destination: "file:///srv"}
			},
			"SendMessage": func(id string) validator {
				return &asteroid.SendMessageInput{ExecutionID: id, Message: "Savings"}
			},
			"SetExecutionStatus": func(id string) validator {
				return &asteroid.SetExecutionStatusInput{ExecutionID: id, Status: asteroid.StatusPaused}
			},
		},
		"agentId": {
			"ExecuteAgent": func(id string) validator {
				return &asteroid.ExecuteAgentInput{AgentID: id}
			},
			"SweepDuplicates": func(id string) validator {
				return &asteroid.SweepDuplicatesInput{AgentID: id, ExecutionKey: "k"}
			},
		},
	} {
		for name, input := range inputs {
			rows[name+" without"] = invalid{input(""), field, "is required"}
			rows[name+" with a path"] = invalid{input("../a"), field, `"../a"` + notAnID}
			long := strings.Repeat("a", 256)
			rows[name+" too long"] = invalid{input(long), field, `"` + long[:77] + `..."` + notAnID}
			require.NoError(t, input("0f8fad5b-d9cb-469f-a165-70867728950e").Validate(), name)
		}
	}
	testInvalid(t, rows)
}

func TestStageFilesInputValidate(t *testing.T) {
	t.Parallel()
	files := make([]asteroid.FileRef, asteroid.MaxFiles+1)
	testInvalid(t, map[string]invalid{
		"no file":        {&asteroid.StageFilesInput{}, "files", oneFile},
		"too many files": {&asteroid.StageFilesInput{Files: files}, "files", tooMany},
	})
	testValid(t, map[string]validator{
		"one file":  &asteroid.StageFilesInput{Files: files[:1]},
		"all files": &asteroid.StageFilesInput{Files: files[1:]},
	})
}

func TestAttachFilesInputValidate(t *testing.T) {
	t.Parallel()
	files := make([]asteroid.FileRef, asteroid.MaxFiles+1)
	testInvalid(t, map[string]invalid{
		"no file":        {&asteroid.AttachFilesInput{ExecutionID: "e"}, "files", oneFile},
		"too many files": {&asteroid.AttachFilesInput{ExecutionID: "e", Files: files}, "files", tooMany},
	})
}

func TestAwaitExecutionInputValidate(t *testing.T) {
	t.Parallel()
	type await = asteroid.AwaitExecutionInput
	since := asteroid.AwaitExecutionInternal{KnownSince: time.Unix(1, 0)}
	testInvalid(t, map[string]invalid{
		"known status alone": {
			&await{ExecutionID: "e", KnownStatus: asteroid.StatusRunning},
			"knownStatus", `needs until "change" or "significantChange"`,
		},
		"known status until needsHuman": {
			&await{ExecutionID: "e", Until: asteroid.UntilNeedsHuman, KnownStatus: "running"},
			"knownStatus", `needs until "change" or "significantChange"`,
		},
		"known since alone": {
			&await{ExecutionID: "e", Internal: since}, "internal.knownSince", "needs a knownStatus",
		},
		"change from nothing": {
			&await{ExecutionID: "e", Until: asteroid.UntilChange},
			"knownStatus", `is required with until "change"`,
		},
		"significant change from nothing": {
			&await{ExecutionID: "e", Until: asteroid.UntilSignificantChange},
			"knownStatus", `is required with until "significantChange"`,
		},
		"unknown until": {
			&await{ExecutionID: "e", Until: "later"},
			"until", `"later" is none of "terminal", "needsHuman", "change", "significantChange"`,
		},
		"negative long poll": {
			&await{ExecutionID: "e", LongPollSeconds: -1},
			"longPollSeconds", "is -1: must be 1 to 25, or 0 for off",
		},
		"long long poll": {
			&await{ExecutionID: "e", LongPollSeconds: 26},
			"longPollSeconds", "is 26: must be 1 to 25, or 0 for off",
		},
	})
	testValid(t, map[string]validator{
		"terminal":    &await{ExecutionID: "e", Until: asteroid.UntilTerminal, LongPollSeconds: 25},
		"needs human": &await{ExecutionID: "e", Until: asteroid.UntilNeedsHuman},
		"change":      &await{ExecutionID: "e", Until: asteroid.UntilChange, KnownStatus: "new"},
		"significant change since": &await{
			ExecutionID: "e", Until: asteroid.UntilSignificantChange, KnownStatus: "paused", Internal: since,
		},
	})
}

func TestFileSelectionValidate(t *testing.T) {
	t.Parallel()
	empty := asteroid.FileSelection{Directories: []string{"downloads", ""}}
	below := asteroid.FileSelection{Directories: []string{"downloads/a"}}
	windows := asteroid.FileSelection{Directories: []string{`downloads\a`}}
	broken := asteroid.FileSelection{Names: []string{"*.pdf", "[a"}}
	folder := asteroid.FileSelection{Names: []string{"a/*.pdf"}}
	testInvalid(t, map[string]invalid{
		"empty directory":     {&empty, "directories[1]", `""` + directory},
		"folder of directory": {&below, "directories[0]", `"downloads/a"` + directory},
		"back slash":          {&windows, "directories[0]", `"downloads\\a"` + directory},
		"broken pattern":      {&broken, "names[1]", `"[a"` + pattern},
		"pattern with folder": {&folder, "names[0]", `"a/*.pdf"` + pattern},
		"ListFiles": {
			&asteroid.ListFilesInput{ExecutionID: "e", FileSelection: broken}, "names[1]", `"[a"` + pattern,
		},
		"SaveFiles": {
			&asteroid.SaveFilesInput{ExecutionID: "e", FileSelection: below},
			"directories[0]", `"downloads/a"` + directory,
		},
	})
	testValid(t, map[string]validator{
		"zero": &asteroid.FileSelection{},
		"all": &asteroid.FileSelection{
			Directories: []string{"downloads", "shared"}, Names: []string{"*.pdf", "a?.[ct]sv"},
		},
		"new directory": &asteroid.FileSelection{Directories: []string{"recordings"}},
	})
}

func TestSendMessageInputValidate(t *testing.T) {
	t.Parallel()
	testInvalid(t, map[string]invalid{
		"empty":       {&asteroid.SendMessageInput{ExecutionID: "e"}, "message", "is empty"},
		"white space": {&asteroid.SendMessageInput{ExecutionID: "e", Message: " \n"}, "message", "is empty"},
	})
}

func TestSetExecutionStatusInputValidate(t *testing.T) {
	t.Parallel()
	const use = ` cannot be set: use "running", "paused" or "cancelled"`
	testInvalid(t, map[string]invalid{
		"empty": {&asteroid.SetExecutionStatusInput{ExecutionID: "e"}, "status", `""` + use},
		"completed": {
			&asteroid.SetExecutionStatusInput{ExecutionID: "e", Status: "completed"},
			"status", `"completed"` + use,
		},
	})
	testValid(t, map[string]validator{
		"resume": &asteroid.SetExecutionStatusInput{ExecutionID: "e", Status: asteroid.StatusRunning},
		"pause":  &asteroid.SetExecutionStatusInput{ExecutionID: "e", Status: asteroid.StatusPaused},
		"cancel": &asteroid.SetExecutionStatusInput{ExecutionID: "e", Status: asteroid.StatusCancelled},
	})
}

func TestSweepDuplicatesInputValidate(t *testing.T) {
	t.Parallel()
	testInvalid(t, map[string]invalid{
		"no key": {&asteroid.SweepDuplicatesInput{AgentID: "a"}, "executionKey", "is required"},
	})
}

func TestExecuteAgentInputValidate(t *testing.T) {
	t.Parallel()
	type (
		execute = asteroid.ExecuteAgentInput
		inputs  = asteroid.Inputs
		labels  = map[string]string
		options = asteroid.ExecutionOptions
		files   = []asteroid.StagedFile
	)
	file := asteroid.StagedFile{ID: "t-1", Name: "a.csv"}
	const (
		name     = " fits no prompt: use a letter or _ first, then letters, digits and _"
		reserved = "is reserved: keys that begin with temporal_ identify the workflow"
		key      = "must have at most 1500 bytes and no white space around it"
	)
	testInvalid(t, map[string]invalid{
		"profile that is no id": {
			&execute{AgentID: "a", AgentProfileID: "../p"},
			"agentProfileId", `"../p"` + notAnID,
		},
		"pool that is no id": {
			&execute{AgentID: "a", AgentProfilePoolID: "p q"},
			"agentProfilePoolId", `"p q"` + notAnID,
		},
		"profile and pool": {
			&execute{AgentID: "a", AgentProfileID: "p", AgentProfilePoolID: "q"},
			"agentProfileId", "excludes agentProfilePoolId: name a profile or a pool, not both",
		},
		"inputs under both names": {
			&execute{AgentID: "a", Inputs: inputs{"a": 1}, DynamicData: inputs{"b": 1}},
			"dynamicData", "is the former name of inputs: give everything in inputs",
		},
		"version and head": {
			&execute{AgentID: "a", Version: new(1), Head: true},
			"version", "excludes head: name a version or ask for the head, not both",
		},
		"first of several input names": {
			&execute{AgentID: "a", Inputs: inputs{"ok": 1, "b-": 1, "a-": 1, "c-": 1}},
			"inputs", `the name "a-"` + name,
		},
		"empty input name": {
			&execute{AgentID: "a", Inputs: inputs{"": 1}}, "inputs", `the name ""` + name,
		},
		"former input name": {
			&execute{AgentID: "a", DynamicData: inputs{"1st": 1}}, "dynamicData", `the name "1st"` + name,
		},
		"empty metadata key": {
			&execute{AgentID: "a", Metadata: labels{"": "x"}}, "metadata", "has an empty key",
		},
		"reserved metadata key": {
			&execute{AgentID: "a", Metadata: labels{"order": "1", "Temporal_x": "x"}},
			"metadata.Temporal_x", reserved,
		},
		"soft timeout": {
			&execute{AgentID: "a", ExecutionOptions: &options{SoftTimeoutMins: new(int32(0))}},
			"executionOptions.softTimeoutMins", "is 0: must be at least 1",
		},
		"storage key under both names": {
			&execute{AgentID: "a", ExecutionOptions: &options{SharedStorageKey: "x", VariantKey: "x"}},
			"executionOptions.sharedStorageKey", "excludes variantKey, which is its newer name",
		},
		"queue with files": {
			&execute{AgentID: "a", OnCapacityLimit: asteroid.CapacityQueue, TempFiles: files{file}},
			"onCapacityLimit", "queue does not go with files: staged files would expire in the queue",
		},
		"unknown capacity limit": {
			&execute{AgentID: "a", OnCapacityLimit: "wait"},
			"onCapacityLimit", `"wait" is neither "reject" nor "queue"`,
		},
		"long key": {
			&execute{AgentID: "a", IdempotencyKey: strings.Repeat("k", 1501)}, "idempotencyKey", key,
		},
		"key in white space": {
			&execute{AgentID: "a", IdempotencyKey: "k\n"}, "idempotencyKey", key,
		},
		"numbered key": {
			&execute{AgentID: "a", IdempotencyKey: "order#12"}, "idempotencyKey",
			"must not end in # and a number, which mark a repeated execute of one intent",
		},
		"negative unknown outcomes": {
			&execute{AgentID: "a", Internal: asteroid.ExecuteAgentInternal{UnknownOutcomes: -1}},
			"internal", "has a negative count",
		},
		"file without id": {
			&execute{AgentID: "a", TempFiles: files{{Name: "a"}}}, "tempFiles[0].id", "is required",
		},
		"file without name": {
			&execute{AgentID: "a", TempFiles: files{file, {ID: "t-2"}}},
			"tempFiles[1].name", "is required: pass on what StageFiles returned, unchanged",
		},
		"file twice": {
			&execute{AgentID: "a", TempFiles: files{file, file}},
			"tempFiles[1].id", "is the same file as tempFiles[0]: a staged file serves once",
		},
	})
	testValid(t, map[string]validator{
		"every field": &execute{
			AgentID: "a", AgentProfileID: "p", Version: new(0), Inputs: inputs{"claim_1": nil},
			Metadata: labels{"order": ""}, TempFiles: files{file},
			ExecutionOptions: &options{VariantKey: "v", SoftTimeoutMins: new(int32(1))},
			OnCapacityLimit:  asteroid.CapacityReject, IdempotencyKey: "order #12 of May",
			AdoptOnly: true, Signal: true,
		},
		"fields that exclude these": &execute{
			AgentID: "a", AgentProfilePoolID: "p", Head: true, DynamicData: inputs{"_": 1},
			ExecutionOptions: &options{SharedStorageKey: "s"}, OnCapacityLimit: asteroid.CapacityQueue,
		},
	})
}

func TestBatchInputsValidate(t *testing.T) {
	t.Parallel()
	plan := func(change func(*asteroid.PlanBatchInput)) *asteroid.PlanBatchInput {
		in := &asteroid.PlanBatchInput{
			BatchPlan: asteroid.BatchPlan{BatchKey: "k", PlanID: "p", Results: asteroid.BatchResults{Destination: "file:///r.csv"}},
			Pass:      1, Template: json.RawMessage(`{}`), Rows: asteroid.BatchRows{Source: &asteroid.FileRef{URI: "data:,a"}},
		}
		change(in)
		return in
	}
	large := json.RawMessage(`"` + strings.Repeat("x", 256<<10) + `"`)
	testInvalid(t, map[string]invalid{
		"no batch key":     {plan(func(in *asteroid.PlanBatchInput) { in.BatchKey = "" }), "batchKey", "is required"},
		"long batch key":   {plan(func(in *asteroid.PlanBatchInput) { in.BatchKey = strings.Repeat("k", 401) }), "batchKey", "must have at most 400 bytes and no invisible characters"},
		"plan with a path": {plan(func(in *asteroid.PlanBatchInput) { in.PlanID = "../p" }), "planId", `"../p"` + notAnID},
		"no destination": {
			plan(func(in *asteroid.PlanBatchInput) { in.Results.Destination = "" }),
			"results.destination", "is required: name the file for the results, such as file:///srv/claims/results.csv",
		},
		"folder as destination": {plan(func(in *asteroid.PlanBatchInput) { in.Results.Destination = "file:///r/" }), "results.destination", "must name a file, not a folder"},
		"empty field":           {plan(func(in *asteroid.PlanBatchInput) { in.Results.Fields = []string{"a", ""} }), "results.fields[1]", "is empty"},
		"unknown format":        {plan(func(in *asteroid.PlanBatchInput) { in.Results.Format = "xlsx" }), "results.format", `"xlsx" is none of csv, jsonl`},
		"no pass":               {plan(func(in *asteroid.PlanBatchInput) { in.Pass = 0 }), "pass", "is 0: must be at least 1"},
		"no template":           {plan(func(in *asteroid.PlanBatchInput) { in.Template = nil }), "template", "must be an object, the input of asteroid.RunAgent"},
		"no rows": {
			plan(func(in *asteroid.PlanBatchInput) { in.Rows.Source = nil }),
			"rows.source", "is required: name the file with the rows, or give them in inline",
		},
		"rows twice": {
			plan(func(in *asteroid.PlanBatchInput) { in.Rows.Inline = []json.RawMessage{json.RawMessage(`{}`)} }),
			"rows.source", "excludes inline: give the rows one way",
		},
		"large inline rows": {
			plan(func(in *asteroid.PlanBatchInput) { in.Rows = asteroid.BatchRows{Inline: []json.RawMessage{large}} }),
			"rows.inline", "have 262146 bytes, more than 262144: write them into a file",
		},
		"inline CSV": {
			plan(func(in *asteroid.PlanBatchInput) {
				in.Rows = asteroid.BatchRows{Inline: []json.RawMessage{json.RawMessage(`{}`)}, Format: asteroid.RowsCSV}
			}),
			"rows.format", "csv does not go with inline, whose rows are JSON objects",
		},
		"encoded inline rows": {
			plan(func(in *asteroid.PlanBatchInput) {
				in.Rows = asteroid.BatchRows{Inline: []json.RawMessage{json.RawMessage(`{}`)}, Encoding: "latin1"}
			}),
			"rows.encoding", "does not go with inline, whose rows are texts already",
		},
		"long delimiter":   {plan(func(in *asteroid.PlanBatchInput) { in.Rows.Delimiter = ";;" }), "rows.delimiter", "must be one character, and neither a quote nor a line break"},
		"quote delimiter":  {plan(func(in *asteroid.PlanBatchInput) { in.Rows.Delimiter = `"` }), "rows.delimiter", "must be one character, and neither a quote nor a line break"},
		"unknown encoding": {plan(func(in *asteroid.PlanBatchInput) { in.Rows.Encoding = "ebcdic" }), "rows.encoding", `"ebcdic" is none of utf-8, utf-16, latin1, windows-1252`},
		"rerun malformed":  {plan(func(in *asteroid.PlanBatchInput) { in.Rows.OnMalformed = asteroid.RowsRerun }), "rows.onMalformed", `"rerun" is none of refuse, skip`},
		"skip changed":     {plan(func(in *asteroid.PlanBatchInput) { in.Rows.OnChanged = asteroid.RowsSkip }), "rows.onChanged", `"skip" is none of refuse, rerun`},
		"no workflow":      {&asteroid.FollowWorkflowInput{}, "workflowId", "is required"},
	})
	testValid(t, map[string]validator{
		"a later pass without rows": plan(func(in *asteroid.PlanBatchInput) { in.Pass, in.Rows = 2, asteroid.BatchRows{} }),
		"tab":                       plan(func(in *asteroid.PlanBatchInput) { in.Rows.Delimiter = "\t" }),
	})
}
