package main

import (
	"io"
	"strings"
	"sync"

	"github.com/temporal-asteroid/asteroid/cmd/internal/progress"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// display shows the phases of the demo and of its agents.
type display struct {
	*progress.Display

	mu      sync.Mutex
	shown   map[int]string // the last line of each agent
	retried string         // the last retry reason that was shown
	batched string         // the last phase of a batch that was shown
}

func newDisplay(out io.Writer) *display {
	return &display{Display: progress.New(out), shown: map[int]string{}}
}

// agent shows an agent's state if it has changed.
func (d *display) agent(i int, name string, state workflows.AgentState) {
	text := phaseText(name, state)
	d.mu.Lock()
	known := d.shown[i] == text
	d.shown[i] = text
	d.mu.Unlock()
	if !known {
		d.Phase(text)
	}
}

// batch shows how far a batch is: a line for each of its phases, and a count within it.
func (d *display) batch(state workflows.BatchState) {
	const width = 20
	text := "batch " + state.Phase + ": " + state.Bar(width) + " " + state.Progress()
	d.mu.Lock()
	known := d.batched == state.Phase
	d.batched = state.Phase
	d.mu.Unlock()
	if known {
		d.Count(text)
	} else {
		d.Phase(text)
	}
}

// retry shows the reason of a retry if it has changed.
func (d *display) retry(reason string) {
	d.mu.Lock()
	known := d.retried == reason
	d.retried = reason
	d.mu.Unlock()
	if !known && reason != "" {
		d.Phase("retrying: " + reason)
	}
}

func phaseText(name string, s workflows.AgentState) string {
	switch s.Phase {
	case workflows.PhaseStaging:
		return name + ": staging its files"
	case workflows.PhaseExecuting:
		return name + ": starting"
	case workflows.PhaseRunning:
		return name + ": running as execution " + s.ExecutionID
	case workflows.PhaseNeedsHuman:
		question := s.Reason
		if len(s.Questions) > 0 {
			question = s.Questions[0].Question
		}
		return name + ": waiting for a person to answer: " + question
	case workflows.PhaseCompleted:
		return strings.TrimRight(name+": completed, outcome "+s.Outcome, " ")
	default:
		return name + ": " + string(s.Phase)
	}
}
