// Package workflows is what a workflow author calls: typed calls to the activities, and the flows built on them.
//
// With the plugin of [github.com/temporal-asteroid/asteroid/worker] on the worker, a workflow runs an agent like this:
//
//	func FileClaim(ctx workflow.Context, claim Claim) (string, error) {
//		run, err := workflows.RunAgent(ctx, workflows.RunAgentInput{
//			AgentID: claim.AgentID,
//			Files:   []asteroid.FileRef{{URI: "file:///srv/claims/1042.pdf"}},
//			Inputs:  asteroid.Inputs{"claim_number": claim.Number},
//		})
//		if err != nil {
//			return "", err // asteroid.ExecutionFailed, ExecutionCancelled, ...: ask asteroid.IsExecutionFailed
//		}
//		var filed struct{ Reference string }
//		err = run.DecodeResult(&filed)
//		return filed.Reference, err
//	}
//
// [RunAgent] stages the files, executes the agent, waits however long it takes, and returns its result. [StartAgent]
// does the first two and hands out the execution id, for a workflow that has other things to do meanwhile. [Pipeline]
// is a registered workflow in which each agent gets the execution id and result of the one before it. Single steps are
// there too: [StageFiles], [ExecuteAgent], [AwaitExecution], [GetExecution], [SetExecutionStatus], [SendMessage].
//
// # Activity options
//
// A typed call takes the activity options of its context and fills in only what is not set there: timeouts, retry
// policy field by field, heartbeat timeout, summary. Give others the usual way, with workflow.WithActivityOptions. Mind
// that AwaitExecution polls by being retried: a RetryPolicy with MaximumAttempts ends the wait after as many polls.
// RunAgent, StartAgent and Pipeline compose several activities, so of the context's options they keep only the task
// queue and the priority.
//
// # Events, and people
//
// While an agent works, signals named [asteroid.ExecutionEventSignal] tell its workflow of changes, and anybody may answer
// or steer it by update: [AnswerUpdate], [SendMessageUpdate], [PauseUpdate], [ResumeUpdate], [CancelUpdate]. RunAgent
// and StartAgent handle them all, in your own workflows too, for as long as the workflow runs; a workflow that continues as new, or
// ends, after its agents have ended loses nothing. [Watch] is where most of the signals come from.
//
// # What a person sees
//
// Each activity has a summary, and the workflow's current details, in Markdown, tell which agent runs, with which files,
// since when, what it returned, and where its page is. The query [StateQuery] returns the same as data.
package workflows
