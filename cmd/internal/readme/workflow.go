package readme

import (
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// Claim is the input of FileClaim.
type Claim struct {
	Number            string
	ReaderID, FilerID string
	Documents         []asteroid.FileRef
}

// FileClaim has one agent read a claim's documents. A second agent files the claim: it gets the
// execution id and the result of the first.
func FileClaim(ctx workflow.Context, claim Claim) (string, error) {
	read, err := workflows.RunAgent(ctx, workflows.RunAgentInput{
		AgentID: claim.ReaderID,
		Files:   claim.Documents,
		Inputs:  asteroid.Inputs{"claim_number": claim.Number},
	})
	if err != nil {
		return "", err // asteroid.IsExecutionFailed(err), asteroid.IsExecutionCancelled(err), ...
	}
	file := workflows.RunAgentInput{
		AgentID: claim.FilerID,
		Inputs:  asteroid.Inputs{"executionId": read.ExecutionID},
	}
	file.AddResult("result", &read.Execution) // as an input, or as a file if it is large
	filed, err := workflows.RunAgent(ctx, file)
	if err != nil {
		return "", err
	}
	return filed.ExecutionID, nil
}

// HandOver passes the files of one agent to the next, and saves what that leaves.
func HandOver(ctx workflow.Context, gatherer, filer string) (*asteroid.SaveFilesResult, error) {
	gathered, err := workflows.RunAgent(ctx, workflows.RunAgentInput{
		AgentID: gatherer,
		Collect: &workflows.Collect{},
	})
	if err != nil {
		return nil, err
	}
	filed, err := workflows.RunAgent(ctx, workflows.RunAgentInput{
		AgentID: filer,
		Files:   asteroid.References(gathered.Outputs),
	})
	if err != nil {
		return nil, err
	}
	return workflows.SaveFiles(ctx, asteroid.SaveFilesInput{
		ExecutionID: filed.ExecutionID,
		Destination: "file:///srv/results",
	})
}
