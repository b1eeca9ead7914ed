package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/temporal-asteroid/asteroid/workflows"
)

// progress tells what happens: a line for each phase and, in a terminal, a last line that lives.
type progress struct {
	out   io.Writer
	began time.Time
	done  chan struct{}
	group sync.WaitGroup

	mu      sync.Mutex
	width   int // of the terminal; 0: none
	current string
	told    map[int]string // by agent: the last line told
	retried string         // the last trouble told
}

func newProgress(out io.Writer, began time.Time) *progress {
	p := &progress{out: out, began: began, done: make(chan struct{}), told: map[int]string{}}
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		p.width = 80
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 20 {
			p.width = width
		}
		p.group.Go(p.live)
	}
	return p
}

// phase ends the last phase and begins another.
func (p *progress) phase(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	fmt.Fprintf(p.out, "%6.1fs  %s\n", time.Since(p.began).Seconds(), text)
	p.current = text
	p.draw("")
}

// agent shows an agent's state, once.
func (p *progress) agent(i int, name string, state workflows.AgentState) {
	text := phaseText(name, state)
	p.mu.Lock()
	known := p.told[i] == text
	p.told[i] = text
	p.mu.Unlock()
	if !known {
		p.phase(text)
	}
}

// trouble shows why something is being retried, once.
func (p *progress) trouble(why string) {
	p.mu.Lock()
	known := p.retried == why
	p.retried = why
	p.mu.Unlock()
	if !known && why != "" {
		p.phase("trouble, tried again: " + why)
	}
}

func phaseText(name string, s workflows.AgentState) string {
	switch s.Phase {
	case workflows.PhaseStaging:
		return name + ": staging its files"
	case workflows.PhaseExecuting:
		return name + ": being executed"
	case workflows.PhaseRunning:
		return name + ": at work as execution " + s.ExecutionID
	case workflows.PhaseNeedsHuman:
		asked := s.Reason
		if len(s.Questions) > 0 {
			asked = s.Questions[0].Question
		}
		return name + ": waits for a person to answer: " + asked
	case workflows.PhaseCompleted:
		return strings.TrimRight(name+": completed, outcome "+s.Outcome, " ")
	default:
		return name + ": " + string(s.Phase)
	}
}

const spinner = `|/-\`

func (p *progress) live() {
	ticker := time.NewTicker(120 * time.Millisecond)
	defer ticker.Stop()
	for frame := 0; ; frame++ {
		select {
		case <-p.done:
			return
		case <-ticker.C:
			p.mu.Lock()
			p.clear()
			p.draw(spinner[frame%len(spinner) : frame%len(spinner)+1])
			p.mu.Unlock()
		}
	}
}

func (p *progress) clear() {
	if p.width > 0 {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

func (p *progress) draw(frame string) {
	if p.width == 0 {
		return
	}
	line := fmt.Sprintf("%6.1fs %s %s", time.Since(p.began).Seconds(), frame, p.current)
	if len(line) >= p.width {
		line = strings.ToValidUTF8(line[:p.width-1], "")
	}
	fmt.Fprint(p.out, line)
}

// stop leaves the cursor at the beginning of an empty line.
func (p *progress) stop() {
	close(p.done)
	p.group.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	p.width = 0
}

// print tells a person what came of it.
func (r *report) print(out io.Writer) {
	for _, e := range r.Executions {
		fmt.Fprintf(out, "\n%s  execution %s  %s, outcome %s\n", e.Agent, e.ExecutionID, e.Status, e.Outcome)
		var text string
		var indented bytes.Buffer
		switch {
		case json.Unmarshal(e.Result, &text) == nil:
		case json.Indent(&indented, e.Result, "    ", "  ") == nil:
			text = indented.String()
		}
		if text != "" {
			fmt.Fprintln(out, "    "+text)
		}
		for _, uri := range e.Outputs {
			fmt.Fprintln(out, "    left "+uri)
		}
	}
	if len(r.Files) > 0 {
		fmt.Fprintln(out, "\nFiles, by SHA-256 here and as the agent saw them:")
	}
	for _, f := range r.Files {
		verdict := "same"
		switch {
		case f.SeenSHA256 == "":
			verdict = "the agent reports no digest"
		case f.SeenSHA256 != f.SHA256:
			verdict = "DIFFERENT: " + f.SeenSHA256
		}
		fmt.Fprintf(out, "    %s  %d bytes  %s  %s\n", f.Name, f.Size, f.SHA256, verdict)
	}
	fmt.Fprintf(out, "\nWorkflow %s in %.1fs: %s\n", r.WorkflowID, r.ElapsedSeconds, r.UIURL)
}
