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

// progress prints a line for each phase. In a terminal, the last line is animated.
type progress struct {
	out   io.Writer
	began time.Time
	done  chan struct{}
	group sync.WaitGroup

	mu      sync.Mutex
	width   int // of the terminal; 0: not a terminal
	current string
	shown   map[int]string // the last line of each agent
	retried string         // the last retry reason that was shown
}

func newProgress(out io.Writer, began time.Time) *progress {
	p := &progress{out: out, began: began, done: make(chan struct{}), shown: map[int]string{}}
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		p.width = 80
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 20 {
			p.width = width
		}
		p.group.Go(p.animate)
	}
	return p
}

// phase prints the line of a new phase.
func (p *progress) phase(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	fmt.Fprintf(p.out, "%6.1fs  %s\n", time.Since(p.began).Seconds(), text)
	p.current = text
	p.draw("")
}

// agent shows an agent's state if it has changed.
func (p *progress) agent(i int, name string, state workflows.AgentState) {
	text := phaseText(name, state)
	p.mu.Lock()
	known := p.shown[i] == text
	p.shown[i] = text
	p.mu.Unlock()
	if !known {
		p.phase(text)
	}
}

// retry shows the reason of a retry if it has changed.
func (p *progress) retry(reason string) {
	p.mu.Lock()
	known := p.retried == reason
	p.retried = reason
	p.mu.Unlock()
	if !known && reason != "" {
		p.phase("retrying: " + reason)
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

const spinner = `|/-\`

func (p *progress) animate() {
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

// stop ends the animation and leaves the cursor at the start of an empty line.
func (p *progress) stop() {
	close(p.done)
	p.group.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	p.width = 0
}

// print writes the report for people.
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
			fmt.Fprintln(out, "    output "+uri)
		}
	}
	if len(r.Files) > 0 {
		fmt.Fprintln(out, "\nFiles, with their SHA-256 here and as the agent reports it:")
	}
	for _, f := range r.Files {
		comparison := "same"
		switch {
		case f.SeenSHA256 == "":
			comparison = "the agent reports no digest"
		case f.SeenSHA256 != f.SHA256:
			comparison = "DIFFERENT: " + f.SeenSHA256
		}
		fmt.Fprintf(out, "    %s  %d bytes  %s  %s\n", f.Name, f.Size, f.SHA256, comparison)
	}
	fmt.Fprintf(out, "\nWorkflow %s in %.1fs: %s\n", r.WorkflowID, r.ElapsedSeconds, r.UIURL)
}
