package workflows

import (
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"
)

// NewInterceptorOfFew is NewInterceptor with another limit of agents that are under way.
func NewInterceptorOfFew(limit int) interceptor.WorkerInterceptor {
	return &workerInterceptor{maxUnderWay: limit}
}

// MarkdownIn renders one agent of a workflow.
func MarkdownIn(s AgentState, namespace, workflowID string) string {
	s.workflow = &workflow.Info{Namespace: namespace, WorkflowExecution: workflow.Execution{ID: workflowID}}
	return s.markdown()
}

// Markdown renders one agent.
func Markdown(s AgentState, requested []string, result string) string {
	s.requested, s.result = requested, []byte(result)
	return s.markdown()
}

// LastKnown is lastKnown.
var LastKnown = lastKnown

// RowID and RowKey are rowID and rowKey, RowFields is rowFields, and FitRow is fitRow.
var (
	RowID     = rowID
	RowKey    = rowKey
	RowFields = rowFields
	FitRow    = fitRow
)
