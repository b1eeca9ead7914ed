package workflows

import (
	"fmt"
	"path"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
)

// StageFiles runs asteroid.StageFiles; see [activities.Activities.StageFiles]. Unless the context's options say
// otherwise an attempt may take an hour with a heartbeat every minute, and it is retried for six hours.
func StageFiles(ctx workflow.Context, in asteroid.StageFilesInput) (*asteroid.StageFilesResult, error) {
	return call[asteroid.StageFilesResult](withDefaults(ctx, transferDefaults(), summary("Stage "+fileLabels(in.Files))),
		asteroid.StageFilesName, in)
}

// ExecuteAgent runs asteroid.ExecuteAgent; see [activities.Activities.ExecuteAgent]. Unless the context's options say
// otherwise an attempt may take a minute, and it is retried for six hours, which is also how long it waits for
// capacity. When the workflow is cancelled meanwhile, the call still returns what the attempt under way brings.
func ExecuteAgent(ctx workflow.Context, in asteroid.ExecuteAgentInput) (*asteroid.ExecuteAgentResult, error) {
	return call[asteroid.ExecuteAgentResult](withDefaults(ctx, executeDefaults(), summary("Execute agent "+in.AgentID)),
		asteroid.ExecuteAgentName, in)
}

// AwaitExecution runs asteroid.AwaitExecution; see [activities.Activities.AwaitExecution]. Unless the context's options
// say otherwise it polls at intervals from one to thirty seconds, without end. Bound it with ScheduleToCloseTimeout.
func AwaitExecution(ctx workflow.Context, in asteroid.AwaitExecutionInput) (*asteroid.Execution, error) {
	var out asteroid.Execution
	if err := awaitExecution(ctx, in).Get(ctx, &out); err != nil {
		return nil, err
	}
	return &out, nil
}

func awaitExecution(ctx workflow.Context, in asteroid.AwaitExecutionInput) workflow.Future {
	return workflow.ExecuteActivity(withDefaults(ctx, awaitDefaults(), summary("Await execution "+in.ExecutionID)), asteroid.AwaitExecutionName, in)
}

// GetExecution runs asteroid.GetExecution; see [activities.Activities.GetExecution]. Unless the context's options say
// otherwise it is retried for an hour.
func GetExecution(ctx workflow.Context, in asteroid.GetExecutionInput) (*asteroid.Execution, error) {
	return call[asteroid.Execution](withDefaults(ctx, callDefaults(), summary("Read execution "+in.ExecutionID)),
		asteroid.GetExecutionName, in)
}

// SetExecutionStatus runs asteroid.SetExecutionStatus; see [activities.Activities.SetExecutionStatus]. Unless the
// context's options say otherwise it is retried for an hour.
func SetExecutionStatus(ctx workflow.Context, in asteroid.SetExecutionStatusInput) (*asteroid.SetExecutionStatusResult, error) {
	return call[asteroid.SetExecutionStatusResult](
		withDefaults(ctx, callDefaults(), summary(fmt.Sprintf("Set execution %s to %s", in.ExecutionID, in.Status))),
		asteroid.SetExecutionStatusName, in)
}

// SendMessage runs asteroid.SendMessage; see [activities.Activities.SendMessage]. Unless the context's options say
// otherwise it is retried for an hour.
func SendMessage(ctx workflow.Context, in asteroid.SendMessageInput) (*asteroid.SendMessageResult, error) {
	return call[asteroid.SendMessageResult](withDefaults(ctx, callDefaults(), summary("Send a message to execution "+in.ExecutionID)),
		asteroid.SendMessageName, in)
}

// SweepDuplicates runs asteroid.SweepDuplicates; see [activities.Activities.SweepDuplicates]. Unless the context's
// options say otherwise it is retried for an hour.
func SweepDuplicates(ctx workflow.Context, in asteroid.SweepDuplicatesInput) (*asteroid.SweepDuplicatesResult, error) {
	return call[asteroid.SweepDuplicatesResult](withDefaults(ctx, callDefaults(), summary("Look for duplicates of agent "+in.AgentID)),
		asteroid.SweepDuplicatesName, in)
}

// CheckUploads runs asteroid.CheckUploads; see [activities.Activities.CheckUploads]. Unless the context's options say
// otherwise it is retried for an hour.
func CheckUploads(ctx workflow.Context, in asteroid.CheckUploadsInput) (*asteroid.CheckUploadsResult, error) {
	return call[asteroid.CheckUploadsResult](withDefaults(ctx, callDefaults(), summary("Check the files of execution "+in.ExecutionID)),
		asteroid.CheckUploadsName, in)
}

// AttachFiles runs asteroid.AttachFiles; see [activities.Activities.AttachFiles]. Unless the context's options say otherwise an
// attempt may take an hour with a heartbeat every minute, and it is retried for six hours.
func AttachFiles(ctx workflow.Context, in asteroid.AttachFilesInput) (*asteroid.AttachFilesResult, error) {
	return call[asteroid.AttachFilesResult](withDefaults(ctx, transferDefaults(), summary("Attach "+fileLabels(in.Files)+" to execution "+in.ExecutionID)),
		asteroid.AttachFilesName, in)
}

// ListFiles runs asteroid.ListFiles; see [activities.Activities.ListFiles]. Unless the context's options say otherwise an
// attempt may take five minutes, and it is retried for an hour.
func ListFiles(ctx workflow.Context, in asteroid.ListFilesInput) (*asteroid.ListFilesResult, error) {
	return call[asteroid.ListFilesResult](withDefaults(ctx, listDefaults(), summary("List the files of execution "+in.ExecutionID)),
		asteroid.ListFilesName, in)
}

// SaveFiles runs asteroid.SaveFiles; see [activities.Activities.SaveFiles]. Unless the context's options say otherwise an
// attempt may take an hour with a heartbeat every minute, and it is retried for six hours.
func SaveFiles(ctx workflow.Context, in asteroid.SaveFilesInput) (*asteroid.SaveFilesResult, error) {
	return call[asteroid.SaveFilesResult](withDefaults(ctx, transferDefaults(), summary("Save the files of execution "+in.ExecutionID)),
		asteroid.SaveFilesName, in)
}

// CheckDestination runs asteroid.CheckDestination; see [activities.Activities.CheckDestination]. Unless the context's options
// say otherwise it is retried for an hour.
func CheckDestination(ctx workflow.Context, in asteroid.CheckDestinationInput) (*asteroid.CheckDestinationResult, error) {
	return call[asteroid.CheckDestinationResult](withDefaults(ctx, callDefaults(), summary("Check where files are to be saved")),
		asteroid.CheckDestinationName, in)
}

func watchExecutions(ctx workflow.Context, in asteroid.WatchExecutionsInput) workflow.Future {
	ctx = withDefaults(ctx, watchDefaults(), summary("Watch the executions of connection "+in.Connection))
	return workflow.ExecuteActivity(ctx, asteroid.WatchExecutionsName, in)
}

func call[Out, In any](ctx workflow.Context, name string, in In) (*Out, error) {
	var out Out
	if err := workflow.ExecuteActivity(ctx, name, in).Get(ctx, &out); err != nil {
		return nil, err
	}
	return &out, nil
}

// summary fits a text into the one line that the server allows (400 bytes; fewer read better).
func summary(text string) string {
	const most = 120
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most-3], "") + "..."
	}
	return text
}

func fileLabels(refs []asteroid.FileRef) string {
	labels := make([]string, len(refs))
	for i, ref := range refs {
		labels[i] = fileLabel(ref)
	}
	return strings.Join(labels, ", ")
}

// fileLabel is how a person knows a file: never the content of a data: reference.
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
