package bound_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/bound"
	"github.com/temporal-asteroid/asteroid/internal/budget"
)

const id = "0f8fad5b-d9cb-469f-a165-70867728950e"

func encodedSize(err error) int {
	return temporal.GetDefaultFailureConverter().ErrorToFailure(err).Size()
}

// largeExecution returns an execution as large as package bound lets it be.
func largeExecution() *asteroid.Execution {
	long := strings.Repeat("<é", 5000)
	e := &asteroid.Execution{
		ExecutionID: id, AgentID: id, AgentName: long, Status: asteroid.StatusFailed, Reason: long, CreatedAt: time.Now(),
		ExecutionResult: &asteroid.ExecutionResult{Outcome: long, Reasoning: long, Result: json.RawMessage(`"` + strings.Repeat("x", 200_000) + `"`)},
		PlatformURL:     "https://platform.asteroid.ai/executions/" + id, RecordingURL: "https://a/" + strings.Repeat("x", 3000),
	}
	for range 30 {
		e.Questions = append(e.Questions, asteroid.Question{Question: long, Header: long, Options: []asteroid.QuestionOption{{Label: long, Description: long}}})
	}
	bound.Execution(e, budget.InlineResult)
	return e
}

func TestErrorKeepsIdentityWithinThreeKiB(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("\"<é\x00", 5_000)
	parameters := make([]asteroid.ParameterError, 50)
	for i := range parameters {
		parameters[i] = asteroid.ParameterError{Parameter: long, Detail: long}
	}
	details := asteroid.ErrorDetails{
		Operation: "AgentExecutePost", HTTPStatus: 503, RequestID: long, ExecutionID: id, ExecutionKey: strings.Repeat("k", 1500), UnknownOutcomes: 2,
		Status: asteroid.StatusFailed, Execution: largeExecution(), Field: long, Parameters: parameters, ProblemType: long, Reason: long, Capability: long,
	}
	small := temporal.NewNonRetryableApplicationError("the portal is down", asteroid.ErrorTypeUnavailable, nil, asteroid.ErrorDetails{ExecutionID: id})
	large := temporal.NewNonRetryableApplicationError(long, asteroid.ErrorTypeExecutionFailed, errors.New(long), details)
	for name, cause := range map[string]error{
		"no cause": nil, "a small one": small, "a large one": large, "one of no type": errors.New(long), "a wrapped one": fmt.Errorf("%s: %w", long, large),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := bound.Error(temporal.NewApplicationErrorWithOptions(long, asteroid.ErrorTypeExecutionFailed, temporal.ApplicationErrorOptions{
				NonRetryable: true, NextRetryDelay: time.Minute, Category: temporal.ApplicationErrorCategoryBenign, Cause: cause, Details: []any{details},
			}))
			require.LessOrEqual(t, encodedSize(err), budget.Error)
			require.True(t, asteroid.IsExecutionFailed(err))
			var app *temporal.ApplicationError
			require.ErrorAs(t, err, &app)
			require.True(t, app.NonRetryable())
			require.Equal(t, time.Minute, app.NextRetryDelay())
			require.Equal(t, temporal.ApplicationErrorCategoryBenign, app.Category())
			require.True(t, strings.HasSuffix(app.Message(), "..."), app.Message())
			require.Equal(t, cause == nil, app.Unwrap() == nil)
			got, ok := asteroid.DetailsOf(err)
			require.True(t, ok)
			require.Equal(t, id, got.ExecutionID)
			require.Equal(t, details.ExecutionKey, got.ExecutionKey)
			require.Equal(t, 2, got.UnknownOutcomes)
			require.Equal(t, 503, got.HTTPStatus)
			require.Equal(t, asteroid.StatusFailed, got.Status)
		})
	}
}

func TestErrorLeavesOutTheResultFirst(t *testing.T) {
	t.Parallel()
	e := &asteroid.Execution{ExecutionID: id, AgentID: id, Status: asteroid.StatusFailed, Reason: "the portal is down", PlatformURL: "https://p"}
	e.ExecutionResult = &asteroid.ExecutionResult{Outcome: "partly", Result: json.RawMessage(`"` + strings.Repeat("x", 10_000) + `"`), Bytes: 10_002, SHA256: "ab"}
	err := bound.Error(temporal.NewNonRetryableApplicationError("failed", asteroid.ErrorTypeExecutionFailed, nil, asteroid.ErrorDetails{ExecutionID: id, Execution: e}))
	require.LessOrEqual(t, encodedSize(err), budget.Error)
	details, _ := asteroid.DetailsOf(err)
	require.Equal(t, "the portal is down", details.Execution.Reason)
	require.Equal(t, "https://p", details.Execution.PlatformURL)
	require.Equal(t, "partly", details.Execution.ExecutionResult.Outcome)
	require.Equal(t, asteroid.OmittedResult{Bytes: 10_002, SHA256: "ab", URI: asteroid.ExecutionResultURI(id)}, *details.Execution.ResultOmitted)
	require.NotEmpty(t, e.Result(), "the workflow's own execution keeps its result")
}

func TestErrorLeavesSmallAndOtherErrorsAlone(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 10_000)
	for _, err := range []error{
		nil, errors.New(long), temporal.NewApplicationError(long, "mine"), temporal.NewCanceledError(long),
		temporal.NewApplicationError("m", asteroid.ErrorTypeNotFound, asteroid.ErrorDetails{ExecutionID: id, Execution: &asteroid.Execution{ExecutionID: id}}),
	} {
		require.Equal(t, err, bound.Error(err))
	}
}

func TestQuestionsAreBoundedHoweverLittleTheySay(t *testing.T) {
	t.Parallel()
	for name, asked := range map[string][]asteroid.Question{
		"questions":        make([]asteroid.Question, 200_000),
		"options":          {{Question: "Which?", Options: make([]asteroid.QuestionOption, 200_000)}},
		"flags":            slices.Repeat([]asteroid.Question{{MultiSelect: true}}, 100_000),
		"escaped texts":    {{Question: strings.Repeat("<", 5_000), Options: slices.Repeat([]asteroid.QuestionOption{{Label: strings.Repeat("<", 500)}}, 100)}},
		"options of each":  slices.Repeat([]asteroid.Question{{Options: make([]asteroid.QuestionOption, 100)}}, 1_000),
		"a single letter":  slices.Repeat([]asteroid.Question{{Question: "?"}}, 100_000),
		"nothing at all":   nil,
		"one that is long": {{Question: strings.Repeat("x", 5<<20)}},
	} {
		kept := bound.Questions(asked, budget.Questions)
		require.LessOrEqual(t, bound.Size(kept), 2*budget.Questions, name)
		require.Equal(t, len(asked) > 0, len(kept) > 0, name)
		if len(kept) < len(asked) {
			require.Contains(t, kept[len(kept)-1].Question, "more questions", name)
		}
	}
}

func TestInvalidInputsHaveBoundedMessages(t *testing.T) {
	t.Parallel()
	err := asteroid.NewInvalidInput(strings.Repeat("f", 10_000), strings.Repeat("\x1b", 1<<20))
	require.LessOrEqual(t, encodedSize(err), budget.Error)
}

func TestExecutionKeepsItsResultThroughTheDataConverter(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string]string{
		"the deepest": strings.Repeat("[", budget.ResultLevels) + strings.Repeat("]", budget.ResultLevels),
		"objects":     strings.Repeat(`{"a":`, budget.ResultLevels) + "1" + strings.Repeat("}", budget.ResultLevels),
		"brackets":    `"` + strings.Repeat(`[{\"`, 20_000) + `"`,
	} {
		e := &asteroid.Execution{ExecutionID: id, ExecutionResult: &asteroid.ExecutionResult{Result: json.RawMessage(raw)}}
		bound.Execution(e, budget.InlineResult)
		require.Nil(t, e.ResultOmitted, name)
		encoded, err := json.Marshal(map[string]any{"steps": []any{map[string]any{"result": e}}})
		require.NoError(t, err, name)
		require.NoError(t, json.Unmarshal(encoded, new(any)), name)
	}
	deeper := &asteroid.Execution{ExecutionID: id, ExecutionResult: &asteroid.ExecutionResult{
		Result: json.RawMessage(strings.Repeat("[", budget.ResultLevels+1) + strings.Repeat("]", budget.ResultLevels+1)),
	}}
	bound.Execution(deeper, budget.InlineResult)
	require.NotNil(t, deeper.ResultOmitted)
}
