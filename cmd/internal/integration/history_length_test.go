package integration

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// Users pay for each event. A run without trouble has the events of its activities, of which there
// is one wait for each change of the status, and nothing else.
func TestRunAgentHistoryIsShort(t *testing.T) {
	for name, row := range map[string]struct {
		files      []asteroid.FileRef
		activities int // beside the waits
	}{
		"without files": {nil, 1},
		"with a file":   {[]asteroid.FileRef{{URI: "data:,x", Name: "x.txt"}}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t)
			s.options.Events = asteroid.EventsPoll
			s.startWorker()
			run := s.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{AgentID: s.api.AgentID("echo"), Files: row.files})
			require.NoError(t, run.Get(s.ctx(), nil))
			events := s.history(run)
			waits := scheduled(events)[asteroid.AwaitExecutionName]
			require.LessOrEqual(t, waits, 3) // starting, running, completed
			require.LessOrEqual(t, len(events.Events), 5+6*(row.activities+waits))
		})
	}
}
