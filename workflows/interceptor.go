package workflows

import (
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"
)

type agentsKey struct{}

// agentsOf returns the agents of the workflow. Without the interceptor they are those of one call.
func agentsOf(ctx workflow.Context) *agents {
	if shared, ok := ctx.Value(agentsKey{}).(*agents); ok {
		return shared
	}
	return &agents{turns: turns{limit: maxUnderWay}}
}

// NewInterceptor returns the interceptor that shows all agents of a workflow in one state and in
// its details, and counts equal requests for their execution keys. The plugin of package worker
// adds it. Without it, each call of RunAgent in a workflow replaces the state of the call before
// it, and the activity's id identifies its intent.
//
// When a workflow that was reset ends, the interceptor cancels the agents of the replaced runs that
// this run has not adopted, unless RunAgentInput.OnCancel says otherwise.
//
// It lets a workflow schedule any number of large inputs at once. Beyond 2 MiB in one workflow task
// it puts a timer of a millisecond in between, because the server terminates a workflow whose task
// has more than 4 MiB.
//
// It also keeps errors final. A workflow that fails after an agent has run, or may have, fails with
// an error that is not retryable, however its code wrapped the agent's error: a RetryPolicy of the
// workflow would run the agent a second time. InterceptorOptions.RetryableErrors turns that off.
func NewInterceptor(options InterceptorOptions) interceptor.WorkerInterceptor {
	return &workerInterceptor{options: options, maxUnderWay: maxUnderWay}
}

// InterceptorOptions are the options of [NewInterceptor].
type InterceptorOptions struct {
	// RetryableErrors leaves the errors of workflow functions as they are.
	RetryableErrors bool
}

type workerInterceptor struct {
	interceptor.WorkerInterceptorBase
	options     InterceptorOptions
	maxUnderWay int
}

func (i *workerInterceptor) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &workflowInterceptor{interceptor.WorkflowInboundInterceptorBase{Next: next}, agents{workflowWide: true, turns: turns{limit: i.maxUnderWay}}, i.options.RetryableErrors}
}

// Init adds the interceptor of what the workflow schedules.
func (i *workflowInterceptor) Init(outbound interceptor.WorkflowOutboundInterceptor) error {
	return i.Next.Init(&inputsInterceptor{interceptor.WorkflowOutboundInterceptorBase{Next: outbound}, &taskInputs{}})
}

// workflowInterceptor puts the agents into the context of all workflow code that can start one.
type workflowInterceptor struct {
	interceptor.WorkflowInboundInterceptorBase
	agents          agents
	retryableErrors bool
}

func (i *workflowInterceptor) withAgents(ctx workflow.Context) workflow.Context {
	if ctx.Value(agentsKey{}) != nil {
		return ctx // the plugin is on the client and on the worker
	}
	return workflow.WithValue(ctx, agentsKey{}, &i.agents)
}

func (i *workflowInterceptor) ExecuteWorkflow(ctx workflow.Context, in *interceptor.ExecuteWorkflowInput) (any, error) {
	ctx = i.withAgents(ctx)
	result, err := i.Next.ExecuteWorkflow(ctx, in)
	agentsOf(ctx).releaseAllPermits(ctx)
	agentsOf(ctx).sweepReplacedRuns(ctx, err)
	agentsOf(ctx).endSearchAttributes(ctx, err)
	if row := agentsOf(ctx).row; row != nil {
		return row, nil
	}
	if i.retryableErrors {
		return result, err
	}
	return result, agentsOf(ctx).keepFinal(ctx, err)
}

func (i *workflowInterceptor) HandleSignal(ctx workflow.Context, in *interceptor.HandleSignalInput) error {
	return i.Next.HandleSignal(i.withAgents(ctx), in)
}

func (i *workflowInterceptor) ExecuteUpdate(ctx workflow.Context, in *interceptor.UpdateInput) (any, error) {
	return i.Next.ExecuteUpdate(i.withAgents(ctx), in)
}
