package asteroid_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/workflows"
)

const id = "0f8fad5b-d9cb-469f-a165-70867728950e"

// validInputs holds, by activity, an input with every member that a caller may set.
var validInputs = map[string]string{
	asteroid.StageFilesName: `{"connection":"default","files":[{"uri":"data:,a","name":"a.txt","contentType":"text/plain"}]}`,
	asteroid.ExecuteAgentName: `{"connection":"default","agentId":"` + id + `","agentProfileId":"` + id + `","inputs":{"n":[{"x":1}]},
		"metadata":{"claim":"1042"},"executionOptions":{"variantKey":"k","softTimeoutMins":30},"version":3,"onCapacityLimit":"reject",
		"tempFiles":[{"id":"t","name":"a","size":1,"contentType":"b","expiresAt":"2026-01-02T03:04:05Z"}],
		"idempotencyKey":"k","adoptOnly":false,"signal":true}`,
	asteroid.AwaitExecutionName:     `{"connection":"default","executionId":"e","until":"change","knownStatus":"running","longPollSeconds":5}`,
	asteroid.GetExecutionName:       `{"connection":"default","executionId":"e"}`,
	asteroid.SetExecutionStatusName: `{"connection":"default","executionId":"e","status":"paused"}`,
	asteroid.SendMessageName:        `{"connection":"default","executionId":"e","message":"yes"}`,
	asteroid.SweepDuplicatesName:    `{"connection":"default","agentId":"a","executionKey":"k","keep":"e"}`,
	asteroid.CheckUploadsName:       `{"connection":"default","executionId":"e","files":[{"id":"t","name":"a","size":1,"contentType":"b","expiresAt":"2026-01-02T03:04:05Z"}]}`,
	asteroid.AttachFilesName:        `{"connection":"default","executionId":"e","files":[{"uri":"data:,a","name":"a.txt","contentType":"text/plain"}]}`,
	asteroid.ListFilesName:          `{"connection":"default","executionId":"e","directories":["downloads"],"names":["*.pdf"]}`,
	asteroid.SaveFilesName:          `{"connection":"default","executionId":"e","directories":["downloads"],"names":["*.pdf"],"destination":"file:///x"}`,
	asteroid.CheckDestinationName:   `{"destination":"file:///x"}`,
	asteroid.WatchExecutionsName:    `{"connection":"default","taskQueue":"q","known":"AQ=="}`,
	asteroid.PlanBatchName: `{` + planMembers + `"pass":1,"template":{},"inputColumns":["*"],
		"rows":{"source":{"uri":"file:///rows.csv","name":"a","contentType":"text/csv","identity":"i"},"format":"csv","delimiter":";",
			"encoding":"latin1","keyColumn":"id","onMalformed":"skip","onChanged":"rerun"}}`,
	asteroid.ReadBatchRowsName: `{` + planMembers + `"pass":1,"segment":2,"template":{},"inputColumns":["a"]}`,
	asteroid.WriteBatchPartName: `{` + planMembers + `"pass":1,"segment":2,"rows":[{"number":1,"key":"k","attempt":1,"status":"failed",
		"executionId":"e","executionStatus":"failed","outcome":"o","errorType":"t","error":"e","url":"u",
		"startedAt":"2026-01-02T03:04:05Z","endedAt":"2026-01-02T03:04:05Z","fieldsOmitted":true}]}`,
	asteroid.JoinBatchPartsName: `{` + planMembers + `"passes":1}`,
	asteroid.FollowWorkflowName: `{"workflowId":"w","runId":"r"}`,
}

// planMembers are those of a BatchPlan.
const planMembers = `"connection":"default","batchKey":"k","planId":"p","results":{"destination":"file:///r.csv","format":"csv",
	"columns":["a"],"fields":["b.0"],"wholeResult":true},`

func newInput(t *testing.T, name string) validator {
	t.Helper()
	inputs := []validator{
		&asteroid.StageFilesInput{}, &asteroid.ExecuteAgentInput{}, &asteroid.AwaitExecutionInput{}, &asteroid.GetExecutionInput{},
		&asteroid.SetExecutionStatusInput{}, &asteroid.SendMessageInput{}, &asteroid.SweepDuplicatesInput{}, &asteroid.CheckUploadsInput{},
		&asteroid.AttachFilesInput{}, &asteroid.ListFilesInput{}, &asteroid.SaveFilesInput{}, &asteroid.CheckDestinationInput{},
		&asteroid.WatchExecutionsInput{}, &asteroid.PlanBatchInput{}, &asteroid.ReadBatchRowsInput{}, &asteroid.WriteBatchPartInput{},
		&asteroid.JoinBatchPartsInput{}, &asteroid.FollowWorkflowInput{},
	}
	i := slices.IndexFunc(inputs, func(in validator) bool { return "*"+name+"Input" == reflect.TypeOf(in).String() })
	require.GreaterOrEqual(t, i, 0, name)
	return inputs[i]
}

// mutate calls judge with each change of one member of a JSON value, and with the member's path.
// whole returns the input in which the value is replaced.
func mutate(value any, path string, whole func(any) any, judge func(path string, input any, unknown bool)) {
	switch value := value.(type) {
	case map[string]any:
		judge(strings.TrimPrefix(path+".unheardOf", "."), whole(with(value, "unheardOf", 1)), true)
		for name, member := range value {
			replace := func(other any) any { return whole(with(value, name, other)) }
			at := strings.TrimPrefix(path+"."+name, ".")
			for _, other := range []any{"text", 1.5, true, []any{}, map[string]any{}} {
				if reflect.TypeOf(other) != reflect.TypeOf(member) {
					judge(at, replace(other), false)
				}
			}
			if at != "inputs" && at != "template" { // any JSON
				mutate(member, at, replace, judge)
			}
		}
	case []any:
		for i, item := range value {
			mutate(item, fmt.Sprintf("%s[%d]", path, i), func(other any) any {
				items := slices.Clone(value)
				items[i] = other
				return whole(items)
			}, judge)
		}
	}
}

func with(object map[string]any, name string, value any) map[string]any {
	changed := maps.Clone(object)
	changed[name] = value
	return changed
}

// Of every member of every input, at any depth: an unknown sibling and each other type is refused
// and named, and null counts as absent.
func TestInputsOfActivitiesAreStrict(t *testing.T) {
	t.Parallel()
	for name, valid := range validInputs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := newInput(t, name)
			require.NoError(t, json.Unmarshal([]byte(valid), in))
			require.NoError(t, in.Validate())
			var value any
			require.NoError(t, json.Unmarshal([]byte(valid), &value))
			mutate(value, "", func(v any) any { return v }, func(path string, input any, unknown bool) {
				handedOver := strings.Contains(path, "empFiles[0].unheardOf") || name == asteroid.CheckUploadsName && path == "files[0].unheardOf"
				free := strings.HasPrefix(path, "metadata.") && unknown
				raw, err := json.Marshal(input)
				require.NoError(t, err)
				in := newInput(t, name)
				require.NoError(t, json.Unmarshal(raw, in), "%s", raw)
				carried, err := json.Marshal(in)
				require.NoError(t, err)
				again := newInput(t, name)
				require.NoError(t, json.Unmarshal(carried, again))
				for _, err := range []error{in.Validate(), again.Validate()} {
					if handedOver {
						require.NoError(t, err)
						continue
					}
					if free && err == nil {
						continue
					}
					require.True(t, asteroid.IsInvalidInput(err), "%s: %v", raw, err)
					details, _ := asteroid.DetailsOf(err)
					require.Equal(t, path, details.Field, "%s", raw)
				}
			})
		})
	}
}

func TestDecodeInputNamesTheRightMember(t *testing.T) {
	t.Parallel()
	for input, said := range map[string]string{
		`{"agentId":"a","input":{"x":1}}`: "input: is unknown: did you mean inputs?",
		`{"agent_id":"a"}`:                "agent_id: is unknown: did you mean agentId?",
		`{"AgentID":"a"}`:                 "AgentID: is unknown: did you mean agentId?",
		`{"agentId":"a","files":[{"uri":"x","conectentType":"y"}]}`: "files[0].conectentType: is unknown: did you mean contentType?",
		`{"agentId":"a","metadata":{"claim":1042}}`:                 "metadata.claim: must be a string, not a number",
		`{"agentId":"a","version":1.5}`:                             "version: must be a whole number",
		`{"agentId":"a","longPollSeconds":3000000000}`:              "longPollSeconds: must be a whole number",
		`{"agentId":"a","files":[null]}`:                            "files[0]: must be an object, not null",
		`{"agentId":"a","collect":{"names":["a",null]}}`:            "collect.names[1]: must be a string, not null",
		`{"agentId":"a","timeoutSeconds":1e300}`:                    "timeoutSeconds: must be a whole number",
		`{"agentId":"a","agentId":"b"}`:                             "agentId: is given twice",
		`{"agentId":"a","collect":{"directories":"downloads"}}`:     "collect.directories: must be an array, not a string",
		`{"agentId":"a","reexecution":{"maximum":3}}`:               "reexecution.maximum: is unknown",
		`{"agentId":"a","inputs":[]}`:                               "inputs: must be an object, not an array",
		`["a"]`:                                                     "input: must be one JSON object, not an array",
		`{"agentId":7,"zebra":true}`:                                "agentId: must be a string, not a number (and 1 more problems)",
	} {
		err := asteroid.DecodeInput([]byte(input), &workflows.RunAgentInput{})
		require.True(t, asteroid.IsInvalidInput(err), "%s: %v", input, err)
		require.ErrorContains(t, err, said)
	}
}

func TestDecodeInputTakesWhatIsRight(t *testing.T) {
	t.Parallel()
	var in workflows.PipelineInput
	require.NoError(t, asteroid.DecodeInput([]byte(`{"schema":7,"steps":[{"agentId":"a","version":null,"resultInput":"r",
		"inputs":{"big":12345678901234567890,"any":{"UNKNOWN":null}},"collect":{"names":["*"],"destination":"file:///x"}}]}`), &in))
	require.Equal(t, "r", in.Steps[0].ResultInput)
	require.Equal(t, json.Number("12345678901234567890"), in.Steps[0].Inputs["big"])
	require.NoError(t, asteroid.DecodeInput([]byte(` null`), &in))
	var run workflows.RunAgentInput
	require.NoError(t, asteroid.DecodeInput([]byte(`{"metadata":{"claim":null,"team":"x"},"timeoutSeconds":60.0,"version":3e0,"inputs":{"n":null}}`), &run))
	require.Equal(t, map[string]string{"team": "x"}, run.Metadata)
	require.EqualValues(t, 60, run.TimeoutSeconds)
	require.Equal(t, 3, *run.Version)
	require.Equal(t, asteroid.Inputs{"n": nil}, run.Inputs)
}

// During a rolling deployment a newer worker takes what this version does not know.
func TestInputsOfANewerVersionAreRetried(t *testing.T) {
	t.Parallel()
	var in asteroid.GetExecutionInput
	require.NoError(t, json.Unmarshal([]byte(`{"executionId":"e","colour":"red","schema":99}`), &in))
	for range 2 {
		require.True(t, asteroid.IsUnavailable(in.Validate()), "%v", in.Validate())
		raw, err := json.Marshal(in)
		require.NoError(t, err)
		require.JSONEq(t, `{"executionId":"e","colour":"red","schema":99}`, string(raw))
		require.NoError(t, json.Unmarshal(raw, &in))
	}
	require.NoError(t, json.Unmarshal([]byte(`{"executionId":5,"schema":99}`), &in))
	require.True(t, asteroid.IsInvalidInput(in.Validate()), "%v", in.Validate())
}

// JSON methods of an embedded struct would leave out the members of the outer one.
func TestContractTypesEmbedNoTypeWithJSONMethods(t *testing.T) {
	t.Parallel()
	seen := map[reflect.Type]bool{}
	var check func(of reflect.Type)
	check = func(of reflect.Type) {
		switch of.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			check(of.Elem())
		case reflect.Struct:
			if seen[of] || !strings.Contains(of.PkgPath(), "asteroid") {
				return
			}
			seen[of] = true
			for field := range of.Fields() {
				if field.Anonymous {
					_, unmarshals := reflect.TypeAssert[json.Unmarshaler](reflect.New(field.Type))
					_, marshals := reflect.TypeAssert[json.Marshaler](reflect.New(field.Type))
					require.False(t, unmarshals || marshals, "%v embeds %v", of, field.Type)
				}
				if field.IsExported() {
					check(field.Type)
				}
			}
		default:
		}
	}
	for name := range validInputs {
		check(reflect.TypeOf(newInput(t, name)))
	}
	for _, of := range []any{
		workflows.PipelineInput{}, workflows.PipelineResult{}, workflows.State{}, workflows.AnswerInput{}, workflows.MessageInput{},
		workflows.SteerInput{}, asteroid.ExecuteAgentResult{}, asteroid.SaveFilesResult{}, asteroid.ErrorDetails{}, asteroid.ExecutionEvent{},
		struct{ workflows.RunAgentInput }{}, struct{ workflows.Collect }{}, struct{ workflows.RunAgentResult }{},
	} {
		check(reflect.TypeOf(of))
	}
	for _, users := range []any{&workflows.RunAgentInput{}, &asteroid.FileRef{}, &asteroid.Execution{}} {
		_, unmarshals := users.(json.Unmarshaler)
		require.False(t, unmarshals, "%T is embedded by users", users)
	}
}
