package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid/testsuite"
)

// The time scale: minutes in production are seconds here, in the same proportions. A request times
// out before its attempt does. The grace period exceeds the time until a late request is carried
// out and listed.
const (
	requestTimeout = 1500 * time.Millisecond
	attemptTimeout = 8 * time.Second
	lookupGrace    = 5 * time.Second
	stallTime      = 2500 * time.Millisecond // beyond the request's timeout
	listDelay      = time.Second
	listJitter     = time.Second
	readDelay      = 500 * time.Millisecond
	startDelay     = 200 * time.Millisecond
	lateTime       = 1500 * time.Millisecond // an ordinary late request: listed after 3.5 seconds at most

	// A late intent's second request is sent after about lookupGrace, and its agent works for
	// lateWork. After tooLateTime the first request is carried out, and that agent works for as
	// long. So the sweep at the end has half a minute to succeed despite the other faults.
	tooLateTime = 38 * time.Second
	lateWork    = 55 * time.Second
	// sharedWork is how long the agents of two workflows with one key work, for the same reason.
	sharedWork = 40 * time.Second
)

const (
	agentName = "clerk"
	// separateAgentName is the name of the agent in the separate organization.
	separateAgentName = "separate clerk"
	inputIntent       = "intent" // of every agent; the audit groups the executions by it
	inputSeconds      = "seconds"
	inputFails        = "fails"
	inputDigest       = "sha256"
	inputBytes        = "bytes"  // the size of the result
	inputLevels       = "levels" // the depth of the result
	plannedFailure    = "the form was closed"
)

// clerk is the script of the agent that all intents run. It fails if its file is missing or
// differs.
func clerk(run testsuite.Run) []testsuite.Step {
	seconds, _ := run.Inputs[inputSeconds].(float64)
	work := testsuite.Work(time.Duration(seconds * float64(time.Second)))
	if fails, _ := run.Inputs[inputFails].(bool); fails {
		return []testsuite.Step{work, testsuite.Fail(plannedFailure)}
	}
	digest, _ := run.Inputs[inputDigest].(string)
	result := map[string]any{inputIntent: run.Inputs[inputIntent], "sha256": digest}
	if size, _ := run.Inputs[inputBytes].(float64); size > 0 {
		result["padding"] = strings.Repeat("x", int(size))
	}
	if levels, _ := run.Inputs[inputLevels].(float64); levels > 0 {
		result["deep"] = json.RawMessage(strings.Repeat("[", int(levels)) + strings.Repeat("]", int(levels)))
	}
	rerun := run.ParentExecutionID != "" // the API gives a rerun no files
	if digest != "" && !rerun && (len(run.Files) != 1 || run.Files[0].SHA256 != digest) {
		return []testsuite.Step{testsuite.Fail("it was started without its file")}
	}
	return []testsuite.Step{work, testsuite.Complete("success", "Filed it.", result)}
}

// The operations that start an agent. Late intents use the workflows dialect, so that a fault
// injected there hits only their requests.
const (
	executeOperation     = "AgentExecutePost"
	lateExecuteOperation = "WorkflowExecutePost"
	readOperation        = "ExecutionGet"
)

const gatewayPage = "<html><body><h1>502 Bad Gateway</h1></body></html>"

func startAPI(s settings, p *plan, fired *tally, log func(string), more ...testsuite.Option) (*testsuite.API, error) {
	options := []testsuite.Option{
		testsuite.WithSeed(s.seed),
		testsuite.WithListDelay(listDelay),
		testsuite.WithListJitter(listJitter),
		testsuite.WithReadDelay(readDelay),
		testsuite.WithStartDelay(startDelay),
		testsuite.WithResultDelay(300 * time.Millisecond),
		testsuite.WithCapacityStatus(p.capacityStatus),
		testsuite.WithLog(log),
	}
	chance := func(probability float64, fault testsuite.Fault, operations ...string) {
		for _, operation := range operations {
			options = append(options, testsuite.WithChance(operation, probability, fault))
		}
	}
	html := []string{"Content-Type", "text/html"}
	chance(0.04, testsuite.LoseResponse(), executeOperation)
	chance(0.04, testsuite.CommitLate(lateTime), executeOperation)
	chance(0.02, testsuite.Answer(http.StatusInternalServerError, `{"code":500,"message":"Internal server error."}`, "Content-Type", "application/json"), executeOperation)
	chance(0.02, testsuite.Answer(http.StatusBadGateway, gatewayPage, html...), executeOperation)
	chance(0.03, testsuite.AnswerAfterCommit(http.StatusBadGateway, gatewayPage, html...), executeOperation)
	chance(0.02, testsuite.AnswerAfterCommit(http.StatusServiceUnavailable, "upstream timed out", "Content-Type", "text/plain", "Retry-After", "1"), executeOperation)
	chance(0.02, testsuite.AnswerAfterCommit(http.StatusRequestTimeout, ""), executeOperation)
	chance(0.02, testsuite.Answer(http.StatusTooManyRequests, `{"code":429,"message":"Slow down."}`, "Content-Type", "application/json", "Retry-After", "1"), executeOperation)
	chance(0.02, testsuite.ResetMidBody(), executeOperation)
	chance(0.02, testsuite.Stall(stallTime), executeOperation)
	chance(0.02, testsuite.TruncateJSON(), executeOperation)
	chance(0.01, testsuite.WrongContentType(), executeOperation)

	// All other operations of a run, the lookup of duplicates and the cancellation included.
	others := []string{
		"ExecutionGet", "ExecutionsList", "ExecutionActivitiesGet", "ExecutionFilesGet", "ExecutionStatusUpdate", "ExecutionSyncGet",
		"TempFilesStage", "WhoamiGet", "ExecutionUserMessagesAdd", "ExecutionFileDownloadRedirect", "Download",
	}
	chance(0.30, fired.oddStrangers(), "ExecutionsList")
	chance(0.05, fired.unknownStatus(), readOperation)
	chance(0.010, testsuite.LoseResponse(), others...)
	chance(0.010, testsuite.Answer(http.StatusBadGateway, gatewayPage, html...), others...)
	chance(0.005, testsuite.Answer(http.StatusTooManyRequests, "", "Retry-After", "1"), others...)
	chance(0.005, testsuite.AnswerAfterCommit(http.StatusServiceUnavailable, ""), others...)
	chance(0.005, testsuite.ResetMidBody(), others...)
	chance(0.005, testsuite.Stall(stallTime), others...)
	chance(0.005, testsuite.TruncateJSON(), others...)
	chance(0.005, testsuite.WrongContentType(), others...)
	return testsuite.StartAPI(append(options, more...)...)
}
