package workflows

import "go.temporal.io/sdk/interceptor"

// NewInterceptorOfFew is NewInterceptor with another limit of agents that are under way.
func NewInterceptorOfFew(limit int) interceptor.WorkerInterceptor {
	return &workerInterceptor{maxUnderWay: limit}
}

// Markdown renders one agent.
func Markdown(s AgentState, requested []string, result string) string {
	s.requested, s.result = requested, []byte(result)
	return s.markdown()
}

// LastKnown is lastKnown.
var LastKnown = lastKnown
