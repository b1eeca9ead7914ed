package workflows

import (
	"fmt"
	"path"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/intent"
)

// StageFiles runs [activities.Activities.StageFiles]. By default an attempt may take an hour with a
// heartbeat every minute, and it is retried for six hours.
func StageFiles(ctx workflow.Context, in asteroid.StageFilesInput) (*asteroid.StageFilesResult, error) {
	return runActivity[asteroid.StageFilesResult](ctx, asteroid.StageFilesName, in, transferDefaults(), "Stage "+fileLabels(in.Files))
}

// ExecuteAgent runs [activities.Activities.ExecuteAgent]. By default an
// attempt may take two minutes, and it is retried for six hours, also while there is no capacity.
// If the workflow is cancelled, the call still returns the outcome of the attempt in progress. The
// agent runs once for this call, also when the workflow is reset.
//
// An attempt after one of unknown outcome looks up what that has started, so MaximumAttempts has no
// effect; see [AwaitExecution].
func ExecuteAgent(ctx workflow.Context, in asteroid.ExecuteAgentInput) (*asteroid.ExecuteAgentResult, error) {
	agents := agentsOf(ctx)
	agents.identify(ctx, &in, intent.OfStaged(in.TempFiles))
	breathe(ctx, in.Inputs)
	ctx = keepProtocol(ctx, executeDefaults())
	executed, err := runActivity[asteroid.ExecuteAgentResult](ctx, asteroid.ExecuteAgentName, in, executeDefaults(), "Execute agent "+in.AgentID)
	if err == nil {
		agents.executions = append(agents.executions, executed.ExecutionID)
	}
	return executed, err
}

// AwaitExecution runs [activities.Activities.AwaitExecution]. By default it polls every one to
// thirty seconds, without end.
//
// The retries of AwaitExecution, [ExecuteAgent] and [CheckUploads] are the way in which they work.
// Of the context's activity options these three take a ScheduleToCloseTimeout, which bounds the
// whole call, and the intervals of the retry policy. A StartToCloseTimeout below the default is
// raised to it. MaximumAttempts, ScheduleToStartTimeout and HeartbeatTimeout have no effect, nor
// have NonRetryableErrorTypes that name timeouts or errors of this module, except for
// asteroid.AtCapacity.
func AwaitExecution(ctx workflow.Context, in asteroid.AwaitExecutionInput) (*asteroid.Execution, error) {
	ctx = keepProtocol(ctx, awaitDefaults())
	return runActivity[asteroid.Execution](ctx, asteroid.AwaitExecutionName, in, awaitDefaults(), "Await execution "+in.ExecutionID)
}

// GetExecution runs [activities.Activities.GetExecution], retried for an hour by default.
func GetExecution(ctx workflow.Context, in asteroid.GetExecutionInput) (*asteroid.Execution, error) {
	return runActivity[asteroid.Execution](ctx, asteroid.GetExecutionName, in, callDefaults(attemptTimeout), "Read execution "+in.ExecutionID)
}

// SetExecutionStatus runs [activities.Activities.SetExecutionStatus], retried for an hour by
// default.
func SetExecutionStatus(ctx workflow.Context, in asteroid.SetExecutionStatusInput) (*asteroid.SetExecutionStatusResult, error) {
	text := fmt.Sprintf("Set execution %s to %s", in.ExecutionID, in.Status)
	return runActivity[asteroid.SetExecutionStatusResult](ctx, asteroid.SetExecutionStatusName, in, callDefaults(attemptTimeout), text)
}

// SendMessage runs [activities.Activities.SendMessage], retried for an hour by default.
func SendMessage(ctx workflow.Context, in asteroid.SendMessageInput) (*asteroid.SendMessageResult, error) {
	return runActivity[asteroid.SendMessageResult](ctx, asteroid.SendMessageName, in, callDefaults(attemptTimeout), "Send a message to execution "+in.ExecutionID)
}

// SweepDuplicates runs [activities.Activities.SweepDuplicates], retried for an hour by default.
func SweepDuplicates(ctx workflow.Context, in asteroid.SweepDuplicatesInput) (*asteroid.SweepDuplicatesResult, error) {
	return runActivity[asteroid.SweepDuplicatesResult](ctx, asteroid.SweepDuplicatesName, in, callDefaults(attemptTimeout), "Sweep duplicates of agent "+in.AgentID)
}

// CheckUploads runs [activities.Activities.CheckUploads], retried for an hour by default. While it
// waits for the execution to list its files, its attempts fail, so MaximumAttempts has no effect;
// see [AwaitExecution].
func CheckUploads(ctx workflow.Context, in asteroid.CheckUploadsInput) (*asteroid.CheckUploadsResult, error) {
	ctx = keepProtocol(ctx, callDefaults(attemptTimeout))
	return runActivity[asteroid.CheckUploadsResult](ctx, asteroid.CheckUploadsName, in, callDefaults(attemptTimeout), "Check the files of execution "+in.ExecutionID)
}

// AttachFiles runs [activities.Activities.AttachFiles]. By default an attempt may take an hour with
// a heartbeat every minute, and it is retried for six hours.
func AttachFiles(ctx workflow.Context, in asteroid.AttachFilesInput) (*asteroid.AttachFilesResult, error) {
	text := "Attach " + fileLabels(in.Files) + " to execution " + in.ExecutionID
	return runActivity[asteroid.AttachFilesResult](ctx, asteroid.AttachFilesName, in, transferDefaults(), text)
}

// ListFiles runs [activities.Activities.ListFiles]. By default an attempt may take five minutes,
// and it is retried for an hour.
func ListFiles(ctx workflow.Context, in asteroid.ListFilesInput) (*asteroid.ListFilesResult, error) {
	return runActivity[asteroid.ListFilesResult](ctx, asteroid.ListFilesName, in, callDefaults(5*time.Minute), "List the files of execution "+in.ExecutionID)
}

// SaveFiles runs [activities.Activities.SaveFiles]. By default an attempt may take an hour with a
// heartbeat every minute, and it is retried for six hours.
func SaveFiles(ctx workflow.Context, in asteroid.SaveFilesInput) (*asteroid.SaveFilesResult, error) {
	return runActivity[asteroid.SaveFilesResult](ctx, asteroid.SaveFilesName, in, transferDefaults(), "Save the files of execution "+in.ExecutionID)
}

// CheckDestination runs [activities.Activities.CheckDestination], retried for an hour by default.
func CheckDestination(ctx workflow.Context, in asteroid.CheckDestinationInput) (*asteroid.CheckDestinationResult, error) {
	return runActivity[asteroid.CheckDestinationResult](ctx, asteroid.CheckDestinationName, in, callDefaults(attemptTimeout), "Check where files are to be saved")
}

// ListAgents runs [activities.Activities.ListAgents], retried for an hour by default.
func ListAgents(ctx workflow.Context, in asteroid.ListAgentsInput) (*asteroid.ListAgentsResult, error) {
	return runActivity[asteroid.ListAgentsResult](ctx, asteroid.ListAgentsName, in, callDefaults(attemptTimeout), "List the agents")
}

// DescribeAgent runs [activities.Activities.DescribeAgent], retried for an hour by default.
func DescribeAgent(ctx workflow.Context, in asteroid.DescribeAgentInput) (*asteroid.AgentDescription, error) {
	return runActivity[asteroid.AgentDescription](ctx, asteroid.DescribeAgentName, in, callDefaults(attemptTimeout), "Describe agent "+in.AgentID)
}

// CheckResult runs [activities.Activities.CheckResult], retried for an hour by default.
func CheckResult(ctx workflow.Context, in asteroid.CheckResultInput) (*asteroid.CheckResultResult, error) {
	return runActivity[asteroid.CheckResultResult](ctx, asteroid.CheckResultName, in, callDefaults(attemptTimeout), "Check the result of execution "+in.ExecutionID)
}

// startActivity starts an activity with the context's options and these defaults.
func startActivity(ctx workflow.Context, name string, in any, defaults workflow.ActivityOptions, summary string) workflow.Future {
	return workflow.ExecuteActivity(withDefaults(ctx, defaults, summaryLine(summary)), name, in)
}

func runActivity[Out any](ctx workflow.Context, name string, in any, defaults workflow.ActivityOptions, summary string) (*Out, error) {
	var out Out
	if err := startActivity(ctx, name, in, defaults, summary).Get(ctx, &out); err != nil {
		return nil, err
	}
	return &out, nil
}

func fileLabels(refs []asteroid.FileRef) string {
	return strings.Join(texts(refs, fileLabel), ", ")
}

// fileLabel returns what a person knows the file by, and never the content of a data: reference.
func fileLabel(ref asteroid.FileRef) string {
	switch {
	case ref.Name != "":
		return ref.Name
	case strings.HasPrefix(strings.ToLower(ref.URI), "data:"):
		return "inline data"
	default:
		uri, _, _ := strings.Cut(ref.URI, "?") // a query may hold a signature
		return path.Base(uri)
	}
}
