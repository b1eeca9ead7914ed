package main

import (
	"cmp"
	"io"
	"sync"
	"time"

	"github.com/temporal-asteroid/asteroid/cmd/internal/progress"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// batchBar shows how far a batch is: a bar in a terminal, lines elsewhere.
type batchBar struct {
	display *progress.Display
	stop    func()
	phase   string
}

func newBatchBar(out io.Writer) *batchBar {
	display := progress.New(out)
	return &batchBar{display: display, stop: sync.OnceFunc(display.Stop)}
}

func (b *batchBar) show(state workflows.BatchState) {
	if state.Phase != b.phase {
		b.phase = state.Phase
		b.display.Phase(state.Phase)
	}
	b.display.Count(batchLine(state))
}

func (b *batchBar) trouble(text string) { b.display.Count(oneLine(text)) }

// batchLine says how far a batch is, in one line.
func batchLine(state workflows.BatchState) string {
	const width = 20
	line := state.Bar(width) + " " + state.Progress()
	if left := time.Until(state.EstimatedEnd); state.Phase == "running" && left > 0 {
		line += ", " + coarse(left) + " left"
	}
	if state.Phase != "running" {
		line += " (" + oneLine(state.Phase) + ")"
	}
	if why := cmp.Or(state.Error, state.Stopped); why != "" {
		line += ": " + oneLine(why)
	}
	return line
}
