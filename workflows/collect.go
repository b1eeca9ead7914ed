package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
)

// Collect says which files of an agent RunAgent takes along once the agent has completed: its downloads, unless the
// selection says otherwise.
type Collect struct {
	asteroid.FileSelection
	// Destination is where the files are copied to, see [asteroid.SaveFilesInput]. Empty, they stay at the service, and what
	// RunAgent returns refers to them there: that is enough for the next agent, but the service deletes them some day.
	Destination string `json:"destination,omitempty"`
}

// checkDestination finds out before the agent works whether its files can be saved.
func (r *AgentRun) checkDestination(ctx workflow.Context) error {
	if r.in.Collect == nil || r.in.Collect.Destination == "" {
		return nil
	}
	_, err := CheckDestination(ctx, asteroid.CheckDestinationInput{Destination: r.in.Collect.Destination})
	return err
}

// collect is the last phase of an agent that has completed.
func (r *AgentRun) collect(ctx workflow.Context) ([]asteroid.OutputFile, error) {
	if r.in.Collect == nil {
		return nil, nil
	}
	r.to(ctx, PhaseCollecting)
	var files []asteroid.OutputFile
	if r.in.Collect.Destination == "" {
		listed, err := ListFiles(ctx, asteroid.ListFilesInput{
			Connection: r.in.Connection, ExecutionID: r.executed.ExecutionID, FileSelection: r.in.Collect.FileSelection,
		})
		if err != nil {
			return nil, err
		}
		files = listed.Files
	} else {
		saved, err := SaveFiles(ctx, asteroid.SaveFilesInput{
			Connection: r.in.Connection, ExecutionID: r.executed.ExecutionID, FileSelection: r.in.Collect.FileSelection,
			Destination: r.in.Collect.Destination,
		})
		if err != nil {
			return nil, err
		}
		files = saved.Files
	}
	r.state.Outputs = files
	return files, nil
}
