package workflows

// Markdown renders one agent.
func Markdown(s AgentState, requested []string, result string) string {
	s.requested, s.result = requested, []byte(result)
	return s.markdown()
}
