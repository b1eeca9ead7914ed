package workflows

import (
	"slices"

	"go.temporal.io/sdk/workflow"
)

// maxUnderWay bounds the agents of one workflow that are being started or followed. Each has one
// activity pending most of the time, of the 2,000 that the server admits. The rest is for updates,
// reads, cancellations, checks of uploads, and for what the workflow itself does.
const maxUnderWay = 1000

// turns are the agents of a workflow that are under way, and those that wait for it.
type turns struct {
	limit    int         // maxUnderWay, but in tests
	taken    int         // agents that are being started or followed
	waiting  []*AgentRun // to be started, in this order
	resuming int         // started agents that wait to be followed; they go first
}

// takeTurn waits until the agent may be started, first come, first served.
func (r *AgentRun) takeTurn(ctx workflow.Context) error {
	t := &r.agents.turns
	free := func() bool { return t.taken < t.limit && t.resuming == 0 }
	if free() && len(t.waiting) == 0 {
		t.taken++
		return nil
	}
	t.waiting = append(t.waiting, r)
	r.enterPhase(ctx, PhaseWaitingForTurn)
	err := workflow.Await(ctx, func() bool { return free() && t.waiting[0] == r })
	t.waiting = slices.DeleteFunc(t.waiting, func(other *AgentRun) bool { return other == r })
	if err == nil {
		t.taken++
	}
	return err
}

// resumeTurn waits until the started agent may be followed. A cancelled workflow waits too: the
// agents before it are being cancelled. Directly after StartAgent it never waits.
func (r *AgentRun) resumeTurn(ctx workflow.Context) {
	t := &r.agents.turns
	if t.taken >= t.limit {
		t.resuming++
		ctx, done := workflow.NewDisconnectedContext(ctx)
		_ = workflow.Await(ctx, func() bool { return t.taken < t.limit }) // nothing cancels this context
		done()
		t.resuming--
	}
	t.taken++
}

// endTurn makes room for another agent. A started agent that nobody follows has no activity.
func (r *AgentRun) endTurn() { r.agents.turns.taken-- }
