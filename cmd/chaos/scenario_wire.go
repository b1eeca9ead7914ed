package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// Scenarios of what the service and what stands before it answer.
var (
	gatewayInWait = &scenario{"pages of a gateway in the wait", 3, (*scene).waitThroughGatewayPages}
	expiredInWait = &scenario{"an expired key in the wait", 2, (*scene).waitThroughExpiredKey}
	oddMembers    = &scenario{"odd members", 2, (*scene).readOddMembers}
	largeResult   = &scenario{"a large result", 2, func(s *scene, ctx context.Context) []outcome {
		return s.returnResult(ctx, inputBytes, 3<<20, kindLargeResult)
	}}
	deepResult = &scenario{"a deep result", 2, func(s *scene, ctx context.Context) []outcome {
		return s.returnResult(ctx, inputLevels, 5000, kindDeepResult)
	}}
)

// startPolling starts an agent that works for some seconds, in a workflow that reads it every other
// second, and returns the execution once it has been read.
func (s *scene) startPolling(ctx context.Context) (testsuite.Execution, bool) {
	in := s.own(s.some(10*time.Second, 14*time.Second))
	in.PollIntervalSeconds = 1
	s.startWorkflow(ctx, s.startOptions(), workflows.RunAgentName, in)
	s.awaitState(ctx, s.id, func(state workflows.AgentState) bool {
		return state.Status == asteroid.StatusRunning || state.Status.Terminal()
	})
	return s.awaitExecution(ctx, s.id, working)
}

func (s *scene) waitThroughGatewayPages(ctx context.Context) []outcome {
	if e, ok := s.startPolling(ctx); ok {
		for _, status := range []int{http.StatusForbidden, http.StatusNotFound, http.StatusBadGateway} {
			page := fmt.Sprintf("<html><body><h1>%d %s</h1></body></html>", status, http.StatusText(status))
			s.api.InjectAbout(e.ID, readOperation, testsuite.Answer(status, page, "Content-Type", "text/html"), 1)
		}
	}
	return []outcome{s.closeRunAgent(ctx)}
}

func (s *scene) waitThroughExpiredKey(ctx context.Context) []outcome {
	if e, ok := s.startPolling(ctx); ok {
		s.api.InjectAbout(e.ID, readOperation,
			testsuite.Answer(http.StatusUnauthorized, `{"code":401,"message":"The API key has expired."}`, "Content-Type", "application/json"), 3)
	}
	return []outcome{s.closeRunAgent(ctx)}
}

// readOddMembers gives members of answers about a run that nobody needs another type.
func (s *scene) readOddMembers(ctx context.Context) []outcome {
	e, ok := s.startPolling(ctx)
	if ok {
		s.api.InjectAbout(e.ID, readOperation, testsuite.AlterJSON("odd members", func(body any) any {
			return s.tally.makeOdd(body, kindOddMember)
		}), 3)
	}
	return []outcome{s.closeRunAgent(ctx)}
}

// makeOdd changes members of an execution. Those of a stranger may all be odd.
func (t *tally) makeOdd(body any, k kind) any {
	execution, ok := body.(map[string]any)
	if !ok {
		return body
	}
	execution["workflowVersion"], execution["agentVersion"] = 3.5, "three"
	execution["duration"], execution["startedAt"] = "12.5", 1_700_000_000
	execution["agentName"], execution["nobodyKnows"] = []any{1}, map[string]any{"this": "member"}
	if k == kindOddStranger {
		execution["metadata"], execution["status"], execution["createdAt"] = []any{"none"}, 7, false
	}
	t.fire(k)
	return execution
}

// oddStrangers makes all members of strangers' executions odd in a list, such as those that the
// watch reads.
func (t *tally) oddStrangers() testsuite.Fault {
	return testsuite.AlterJSON("odd members of strangers", func(body any) any {
		page, _ := body.(map[string]any)
		items, _ := page["items"].([]any)
		for i, item := range items {
			if execution, _ := item.(map[string]any); isStranger(execution) {
				items[i] = t.makeOdd(execution, kindOddStranger)
			}
		}
		return body
	})
}

// strangerIntent is the intent of an execution that no workflow has started. It works all the time.
const strangerIntent = "a stranger's"

func isStranger(execution map[string]any) bool {
	metadata, _ := execution["metadata"].(map[string]any)
	return execution != nil && metadata[asteroid.MetadataExecutionKey] == nil
}

// executeStranger starts the execution of a stranger.
func executeStranger(ctx context.Context, api *testsuite.API, agentID string) error {
	// The namespace puts it into the lists that the watch reads.
	body := fmt.Sprintf(`{"inputs":{%q:%q,%q:%d},"metadata":{%q:"default"}}`,
		inputIntent, strangerIntent, inputSeconds, int(time.Hour.Seconds()), asteroid.MetadataNamespace)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, api.BaseURL()+"/agents/v2/agents/"+agentID+"/execute", strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Asteroid-Agents-Api-Key", api.APIKey())
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusAccepted {
		return fmt.Errorf("a stranger's execute is answered with %s", response.Status)
	}
	return nil
}

// unknownStatus tells of an agent at work that it has a status that no version of the library
// knows.
func (t *tally) unknownStatus() testsuite.Fault {
	return testsuite.AlterJSON("unknown status", func(body any) any {
		if execution, _ := body.(map[string]any); execution["status"] == string(asteroid.StatusRunning) {
			execution["status"] = "negotiating"
			t.fire(kindUnknownStatus)
		}
		return body
	})
}

// returnResult runs an agent whose result has a size or depth. A result that is too large for
// history comes back as a reference with its digest.
func (s *scene) returnResult(ctx context.Context, input string, size int, k kind) []outcome {
	in := s.own(time.Second)
	in.Inputs[input] = size
	s.startWorkflow(ctx, s.startOptions(), workflows.RunAgentName, in)
	o := s.closeRunAgent(ctx)
	if o.state == stateCompleted {
		s.tally.fire(k)
	}
	return []outcome{o}
}

// intentOf returns the intent that a result names: the one of the execution whose result has the
// digest, if the result is a reference.
func (w *workload) intentOf(result *workflows.RunAgentResult) string {
	if omitted := result.ResultOmitted; omitted != nil {
		e, _ := w.api.Execution(result.ExecutionID)
		var compact bytes.Buffer
		if json.Compact(&compact, e.Result) != nil {
			return ""
		}
		if sum := sha256.Sum256(compact.Bytes()); hex.EncodeToString(sum[:]) != omitted.SHA256 {
			return "another digest"
		}
		name, _ := e.Inputs[inputIntent].(string)
		return name
	}
	var content struct{ Intent string }
	_ = result.DecodeResult(&content) // a result that cannot be read has no intent, which the audit finds
	return content.Intent
}
