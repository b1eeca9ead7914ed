package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
)

// Collect selects the files that RunAgent collects once the agent has completed. Unless the
// selection says otherwise, they are the agent's downloads.
type Collect struct {
	asteroid.FileSelection
	// Destination is where the files are copied to, see [asteroid.SaveFilesInput]. When empty,
	// the files stay at the service, and the result refers to them there. That suffices for the
	// next agent, but the service deletes them some day.
	Destination string `json:"destination,omitempty"`
}

// checkDestination fails before the agent is executed if its files could not be saved.
func (r *AgentRun) checkDestination(ctx workflow.Context) error {
	if r.in.Collect == nil || r.in.Collect.Destination == "" {
		return nil
	}
	_, err := CheckDestination(ctx, asteroid.CheckDestinationInput{Destination: r.in.Collect.Destination})
	return err
}

// collect lists or saves the files of a completed agent.
func (r *AgentRun) collect(ctx workflow.Context) ([]asteroid.OutputFile, error) {
	c := r.in.Collect
	if c == nil {
		return nil, nil
	}
	r.enterPhase(ctx, PhaseCollecting)
	ctx = r.withSummary(ctx, "has its files collected")
	if c.Destination == "" {
		listed, err := ListFiles(ctx, asteroid.ListFilesInput{
			Connection: r.in.Connection, ExecutionID: r.executed.ExecutionID, FileSelection: c.FileSelection,
		})
		if err != nil {
			return nil, err
		}
		r.state.Outputs = listed.Files
	} else {
		saved, err := SaveFiles(ctx, asteroid.SaveFilesInput{
			Connection: r.in.Connection, ExecutionID: r.executed.ExecutionID, FileSelection: c.FileSelection, Destination: c.Destination,
		})
		if err != nil {
			return nil, err
		}
		r.state.Outputs = saved.Files
	}
	return r.state.Outputs, nil
}
