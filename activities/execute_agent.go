package activities

import (
	"context"

	"go.temporal.io/sdk/activity"

	"github.com/temporal-asteroid/asteroid"
)

// ExecuteAgent starts an agent and returns the execution's id at once; the agent works on for minutes or hours. Follow
// it with asteroid.AwaitExecution.
//
// # One agent run per intent
//
// The API has no idempotency key, so this activity makes one. Every execution carries an identity as metadata
// ([MetadataExecutionKey]), next to the namespace, workflow id and run id of the workflow that started it:
//
//  1. The identity is namespace, workflow id, run id and activity id, so that all attempts of one activity share it. For
//     an activity that no workflow started it is its own id and run id. IdempotencyKey replaces it.
//  2. The first attempt of a fresh identity sends its request straight away: nothing can exist yet. With an
//     IdempotencyKey it looks first and afterwards, unless FreshKey is set. One that begins half a minute late looks first,
//     too: somebody may have reset the activity.
//  3. One attempt makes one request. Refused (4xx but 408), it created nothing; without an answer, or with 408 or 5xx,
//     its outcome is unknown.
//  4. An attempt that follows one of unknown outcome, a worker that died among them, looks for the identity first and
//     adopts what it finds. It goes on looking, a try every few seconds, for Options.LookupGrace. Only then does it
//     send again.
//  5. After sending in doubt it looks once more. Of several executions the oldest is kept, the others are cancelled
//     and named in the result. One that cannot be cancelled now is tried again for LookupGrace, then left to the sweep.
//
// An execution with a parentExecutionId is a rerun that a person made; the service copies the metadata to it. It is
// never adopted, counted or cancelled. Where only a rerun is found, its original is adopted.
//
// # Which executes share an identity
//
//	                                       default        IdempotencyKey   in workflows.RunAgent
//	another attempt of the activity        same           same             same
//	another activity of the same run       new            same             same for the same agent: staged again,
//	                                                                       waiting for capacity
//	workflow reset                         new            same             same
//	workflow retried, continued as new,    new            same             new, unless it has an IdempotencyKey
//	or run again
//	standalone activity, run again         new            same             -
//
// Sharing an identity means adopting a run that is going on or has completed. One that failed or was cancelled is
// history, unless this very activity started it: the next execute of the intent appends #2 to the key, then #3.
//
// # What can still go wrong
//
// Two agents run for a while if the service carries out a request more than LookupGrace after it went unanswered, or
// hides the execution from its list for as long: then a second request is sent. The younger of the two is cancelled as
// soon as both are seen, at the latest by the sweep at the end of RunAgent; one that shows up later still is not seen at
// all. Who cannot afford that sets LookupGrace to hours, or has the agent check whether its work is already done. The grace
// period is measured by the workers' clocks, so they have to agree. Two executes with one IdempotencyKey at the same moment, in two
// workflows, can both find nothing and both send, and then the younger is cancelled under its workflow; give
// the workflows themselves one id, and Temporal lets only one run. An execution that somebody deletes is as if it had never been.
//
// # Errors
//
// asteroid.InvalidInput before anything is sent when the input breaks a rule; asteroid.StagedFileExpired when a staged
// file is too old; asteroid.AtCapacity, retryable, when there is no room; asteroid.Unavailable, retryable, while it is
// not known whether the agent was started, whatever the look for it answers; asteroid.NotFound with AdoptOnly; and those of the API.
func (a *Activities) ExecuteAgent(ctx context.Context, in asteroid.ExecuteAgentInput) (*asteroid.ExecuteAgentResult, error) {
	c, err := a.connection(in.Connection)
	if err != nil {
		return nil, err
	}
	if err := in.Validate(); err != nil {
		return nil, err
	}
	e := a.newExecute(ctx, c, in)
	result, err := e.attempt(ctx)
	if err != nil {
		return nil, err
	}
	activity.GetLogger(ctx).Info("Agent executed", "agentId", in.AgentID, "executionId", result.ExecutionID,
		"executionKey", result.ExecutionKey, "adopted", result.Adopted)
	return result, nil
}
