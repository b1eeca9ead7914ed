package testsuite

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

const (
	maxEchoBytes  = 64 << 20
	maxEchoLevels = 100_000
	maxEchoAsks   = 100
)

// echoAgent returns its inputs as its result, or a result of the size and depth that they ask for.
func echoAgent(run Run) []Step {
	seconds, err := secondsInput(run.Inputs["seconds"], builtinWorkTime.Seconds())
	if err != nil {
		return []Step{Fail(err.Error())}
	}
	asks, err := countInput(run.Inputs, "ask", maxEchoAsks)
	if err != nil {
		return []Step{Fail(err.Error())}
	}
	result, levels, err := echoResult(run.Inputs)
	if err != nil {
		return []Step{Fail(err.Error())}
	}
	steps := []Step{Work(time.Duration(seconds * float64(time.Second)))}
	for i := range asks {
		steps = append(steps, Ask(fmt.Sprintf("Question %d of %d: go on?", i+1, asks), "Yes", "No"))
	}
	return append(steps, endOnRequest(run.Inputs, completeWith("success", "Returned the inputs.", result, levels)))
}

// endOnRequest returns the last step that the inputs fail and cancel ask for, or otherwise if
// neither is given.
func endOnRequest(inputs map[string]any, otherwise Step) Step {
	if reason, given := inputs["fail"]; given {
		return Fail(fmt.Sprint(reason))
	}
	reason, given := inputs["cancel"]
	switch {
	case !given:
		return otherwise
	case !api.CancelReason(fmt.Sprint(reason)).Valid():
		return Fail(fmt.Sprintf("the input cancel must be a reason of the service, such as budget_exceeded, not %v", reason))
	}
	return CancelBy(fmt.Sprint(reason))
}

// echoResult returns the result as JSON, and how many levels deep it is.
func echoResult(inputs map[string]any) (result json.RawMessage, levels int, err error) {
	size, err := countInput(inputs, "bytes", maxEchoBytes)
	if err != nil {
		return nil, 0, err
	}
	levels, err = countInput(inputs, "levels", maxEchoLevels)
	if err != nil {
		return nil, 0, err
	}
	if size == 0 && levels == 0 {
		result, err = json.Marshal(inputs)
		return result, 0, err
	}
	inner := size - 2*levels
	if size == 0 {
		inner = 0
	}
	content := ""
	switch {
	case inner < 0:
		return nil, 0, fmt.Errorf("the input bytes must be at least %d for %d levels", 2*levels, levels)
	case inner == 1:
		content = "0"
	case inner > 1:
		content = `"` + strings.Repeat("x", inner-2) + `"`
	}
	return json.RawMessage(strings.Repeat("[", levels) + content + strings.Repeat("]", levels)), levels, nil
}

// countInput returns an input that is a whole number up to most, 0 without it.
func countInput(inputs map[string]any, name string, most int) (int, error) {
	value, given := inputs[name]
	number, isNumber := value.(float64)
	if given && (!isNumber || number != float64(int(number)) || number < 0 || number > float64(most)) {
		return 0, fmt.Errorf("the input %s must be a whole number from 0 to %d, not %v", name, most, value)
	}
	return int(number), nil
}
