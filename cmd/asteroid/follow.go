package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid/cmd/internal/program"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// await prints what the agents of the workflow do until it closes, and then its result. A zero
// timeout is none. When it passes, or the command is interrupted, the workflow goes on.
func (c *cli) await(ctx context.Context, w *foundWorkflow, timeout time.Duration) error {
	const never = 100 * 365 * 24 * time.Hour
	waiting, done := context.WithTimeout(ctx, cmp.Or(timeout, never))
	defer done()
	f := follower{out: c.err, w: w, began: time.Now(), shown: map[int]string{}}
	stop := f.start(waiting)
	_, err := w.awaitClose(waiting)
	stop()
	goesOn := fmt.Sprintf("workflow %s goes on: asteroid show %[2]s shows it, asteroid cancel %[2]s ends it", w.id(), argument(w.id()))
	switch {
	case ctx.Err() != nil:
		return codedError{exitInterrupted, fmt.Errorf("interrupted, and %s", goesOn)}
	case waiting.Err() != nil:
		return codedError{exitTimedOut, fmt.Errorf("not finished after %s, and %s", timeout, goesOn)}
	case err != nil:
		return err
	}
	f.look(ctx) // what has changed since the last look
	return c.printOutcome(ctx, w)
}

// awaitClose waits until the workflow is closed, also while Temporal does not answer, and returns
// the workflow's own error. err is not nil if it is not known to be closed: the context's error, or
// what Temporal refused.
func (w *foundWorkflow) awaitClose(ctx context.Context) (outcome, err error) {
	const pause = time.Second
	for {
		err := w.service.GetWorkflow(ctx, w.id(), w.runID()).Get(ctx, nil)
		_, closed := errors.AsType[*temporal.WorkflowExecutionError](err)
		switch {
		case err == nil, closed:
			return err, nil
		case !isUnreachable(err) && ctx.Err() == nil:
			return nil, w.service.failure(err, w.id())
		case !program.Sleep(ctx, pause): // a request may end a moment before its context does
			return nil, ctx.Err()
		}
	}
}

// follower prints a line whenever something changes in a workflow.
type follower struct {
	out   io.Writer
	w     *foundWorkflow
	began time.Time
	shown map[int]string // by the agent's place
	noted string         // the last trouble
}

// start follows the workflow until stop is called, which returns when nothing more is printed.
func (f *follower) start(ctx context.Context) (stop func()) {
	const first, last = 300 * time.Millisecond, 5 * time.Second
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	group.Go(func() {
		pause := first
		timer := time.NewTimer(pause)
		defer timer.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
			if pause = min(pause*3/2, last); f.look(ctx) {
				pause = first
			}
			timer.Reset(pause)
		}
	})
	return func() {
		cancel()
		group.Wait()
	}
}

// look prints what has changed and reports whether anything has.
func (f *follower) look(ctx context.Context) (changed bool) {
	w, err := f.w.service.find(ctx, f.w.id())
	var state *workflows.State
	if err == nil {
		state, err = w.state(ctx)
	}
	if ctx.Err() != nil {
		return false
	}
	trouble := ""
	if err != nil {
		trouble = message(err)
	} else if reason := w.retrying(); reason != "" {
		trouble = "retrying: " + reason
	}
	if trouble != "" && trouble != f.noted {
		f.print(oneLine(trouble))
		f.noted, changed = trouble, true
	}
	if state == nil {
		return changed
	}
	for i := range state.Agents {
		agent := &state.Agents[i]
		line := f.line(agent)
		if f.shown[i+state.Omitted] != line {
			f.shown[i+state.Omitted] = line
			f.print(line)
			changed = true
		}
	}
	return changed
}

// line says what an agent does, and what a person can do about it.
func (f *follower) line(agent *workflows.AgentState) string {
	line := nameOf(agent) + " " + activity(agent)
	switch {
	case waits(agent) && agent.Asking != "":
		line += " → asteroid answer " + argument(f.w.id())
	case agent.Phase == workflows.PhaseRunning && agent.LiveViewURL != "":
		line += " → watch it: " + oneLine(agent.LiveViewURL)
	case agent.Phase == workflows.PhasePaused:
		line += " → asteroid resume " + argument(f.w.id())
	}
	return line
}

func (f *follower) print(line string) {
	fmt.Fprintf(f.out, "%6.1fs  %s\n", time.Since(f.began).Seconds(), line)
}
