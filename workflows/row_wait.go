package workflows

import (
	"go.temporal.io/sdk/workflow"
)

// mostRowWaits bounds how often a row tells its batch that it waits for somebody: an agent may ask
// all day.
const mostRowWaits = 5

// waitsTold is what a row has told its batch.
type waitsTold struct {
	phase Phase           // that of the latest signal, or empty
	sent  workflow.Future // the latest signal
	at    int64
	count int
}

// tellBatch tells the batch of a row when the row begins or ceases to wait for somebody. The batch
// may be over, so the outcome of the signal does not matter.
func (r *AgentRun) tellBatch(ctx workflow.Context) {
	row, told := r.in.Internal.Row, &r.waitsTold
	if row == nil || row.Batch == "" {
		return
	}
	phase := Phase("")
	if r.state.Phase == PhaseNeedsHuman || r.state.Phase == PhaseWaitingForPermit {
		phase = r.state.Phase
	}
	if phase == told.phase || phase != "" && told.count >= mostRowWaits {
		return
	}
	if phase != "" {
		told.count++
	}
	told.phase, told.at = phase, later(ctx, told.at)
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	told.sent = workflow.SignalExternalWorkflow(ctx, row.Batch, "", rowWaitSignal, rowWait{
		Pass: row.Pass, Segment: row.Segment, Number: row.Number, At: told.at, Phase: phase,
	})
}

// awaitTold waits until the server has taken what the agents have told a batch: the end of the
// workflow would lose it.
func (a *agents) awaitTold(ctx workflow.Context) {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	for _, r := range a.runs {
		if sent := r.waitsTold.sent; sent != nil {
			_ = sent.Get(ctx, nil) // the batch may be over
		}
	}
}
