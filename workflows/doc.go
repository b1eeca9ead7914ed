// Package workflows has typed calls of the activities, and workflows built on them.
//
// With the plugin of [github.com/temporal-asteroid/asteroid/worker], a workflow runs an agent so:
//
//	func FileClaim(ctx workflow.Context, claim Claim) (string, error) {
//		run, err := workflows.RunAgent(ctx, workflows.RunAgentInput{
//			AgentID: claim.AgentID,
//			Files:   []asteroid.FileRef{{URI: "file:///srv/claims/1042.pdf"}},
//			Inputs:  asteroid.Inputs{"claim_number": claim.Number},
//		})
//		if err != nil {
//			return "", err // asteroid.ExecutionFailed, ...: see asteroid.IsExecutionFailed
//		}
//		var filed struct{ Reference string }
//		err = run.DecodeResult(&filed)
//		return filed.Reference, err
//	}
//
// [RunAgent] stages the files, executes the agent, waits however long it takes, and returns its
// result. [StartAgent] does the first two and returns the execution id, for a workflow that has
// other work meanwhile. [Pipeline] is a registered workflow in which each agent gets the execution
// id and result of the one before it. The single steps are functions too: [StageFiles],
// [ExecuteAgent], [AwaitExecution], [GetExecution], [SetExecutionStatus], [SendMessage].
//
// # Activity options
//
// A typed call takes the activity options of its context and sets defaults for those that are
// unset: timeouts, retry policy field by field, heartbeat timeout, summary. Set others as usual,
// with workflow.WithActivityOptions. Three activities work by being retried: [AwaitExecution]
// polls, [ExecuteAgent] looks up what it may have started, [CheckUploads] waits for a list.
// MaximumAttempts and whatever else would end them early has no effect there;
// ScheduleToCloseTimeout has. RunAgent, StartAgent and Pipeline compose several activities, so of
// the context's options they keep only the task queue and the priority.
//
// # Batches
//
// The workflow asteroid.Batch runs one agent for each row of a file, some dozens at a time, and
// writes a file with a result for each row. [BatchInput] says how. It is a workflow and not a
// function, since it continues as new: [ExecuteBatch] starts it as a child. People pause, resume
// and cancel it, set its concurrency and run failed rows again by update, and [StateQuery] answers
// with a [BatchState].
//
// # Events and people
//
// While an agent works, signals named [asteroid.ExecutionEventSignal] tell its workflow of
// changes, most of them from [Watch]. People answer or steer the agent by update: [AnswerUpdate],
// [SendMessageUpdate], [PauseUpdate], [ResumeUpdate], [CancelUpdate]. Each names the execution, and
// an answer the asking, so that it never reaches another question. RunAgent and StartAgent handle
// them all, in your own workflows too, until the workflow closes. A workflow that closes or
// continues as new after its agents have finished loses nothing.
//
// # Limits
//
// [RunAgentInput.Limits] bound how many runs are under way at once, over all workflows: one for
// each login, for example. [Limiter] is the workflow that hands out the permits.
//
// # Sizes
//
// A result of more than 256 KiB stays at the service, and [asteroid.Execution.ResultOmitted] refers
// to it. [RunAgentInput.AddResult] passes a result of any size to the next agent, and Pipeline does
// so by itself. A workflow that schedules inputs of more than 2 MiB at once sends them in several
// workflow tasks, with a timer of a millisecond in between; see [NewInterceptor].
//
// # Details
//
// Each activity has a summary, which names the agent. The current details, in Markdown, show which
// agent runs, with which files, since when, what it returned, the link to its page, and how to
// answer what it asks. [StateQuery] returns them as data.
package workflows
