package workflows

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid"
)

// markdown tells a person who opens the workflow's page what its agents do.
func (a *agents) markdown() string {
	const inFull, atAll = 10, 50 // the newest agents; a workflow may run thousands
	var page strings.Builder
	if hidden := len(a.runs) - atAll; hidden > 0 {
		page.WriteString("\n" + strconv.Itoa(hidden) + " earlier agents are not shown.\n")
	}
	for i, r := range a.runs {
		agent := r.state
		switch behind := len(a.runs) - i; {
		case behind <= inFull || agent.Ended.IsZero() && behind <= atAll:
			page.WriteString(agent.markdown())
		case behind <= atAll:
			page.WriteString("\n**Agent** " + code(agent.title()) + " " + agent.headline() + ", execution " + code(agent.ExecutionID) + "\n")
		}
	}
	return page.String()
}

func (s *AgentState) title() string { return cmp.Or(s.AgentName, s.AgentID) }

func (s *AgentState) markdown() string {
	var page strings.Builder
	line := func(label, text string) {
		if text != "" {
			page.WriteString("- **" + label + "**: " + text + "\n")
		}
	}
	page.WriteString("\n**Agent** " + code(s.title()) + " " + s.headline() + "\n\n")
	line("Files", s.fileList())
	line("Execution", s.execution())
	line("Status", s.statuses())
	line("Earlier attempts", s.earlier())
	line("Left behind", s.outputList())
	line("Asked", s.question())
	if s.Phase != PhaseNeedsHuman { // else it is the question, or repeats it
		line("Reason", code(s.Reason))
	}
	line("Time", s.times())
	if !s.Status.Terminal() {
		line("Live view", link("watch the agent work", s.LiveViewURL))
	} else {
		line("Recording", link("watch what the agent did", s.RecordingURL))
	}
	line("Error", code(s.Error))
	if len(s.result) > 0 {
		page.WriteString("\n**Result**\n\n```json\n" + fenced(s.result) + "\n```\n")
	}
	return page.String()
}

func (s *AgentState) headline() string {
	switch s.Phase {
	case PhaseStaging:
		return "gets its files staged"
	case PhaseExecuting:
		return "is being started"
	case PhaseWaitingForCapacity:
		return "is **waiting for capacity** since " + s.Since.UTC().Format(clockTime)
	case PhaseRunning:
		if s.Status.Terminal() {
			return "is over: " + string(s.Status)
		}
		return "is at work"
	case PhasePaused:
		return "is **paused** by somebody"
	case PhaseNeedsHuman:
		if s.Overdue {
			return "**waits for a person**, and nobody has answered in time"
		}
		return "**waits for a person**"
	case PhaseCancelling:
		return "is being cancelled"
	case PhaseCollecting:
		return "completed, and its files are being collected"
	case PhaseBackoff:
		return "failed and will be executed again"
	case PhaseCompleted:
		if s.Outcome != "" {
			return "completed, outcome " + code(s.Outcome)
		}
		return "completed"
	default:
		if s.Status.Terminal() && s.Status != asteroid.StatusCompleted {
			return "is over: " + string(s.Status)
		}
		return "failed"
	}
}

func (s *AgentState) fileList() string {
	labels := make([]string, 0, len(s.requested))
	for _, f := range s.Files {
		labels = append(labels, fileWithSize(f.Name, f.ContentType, f.Size))
	}
	if len(labels) == 0 {
		for _, name := range s.requested {
			labels = append(labels, code(name))
		}
	}
	return some(labels)
}

func (s *AgentState) outputList() string {
	labels := make([]string, len(s.Outputs))
	for i, f := range s.Outputs {
		labels[i] = fileWithSize(f.Name, f.ContentType, f.Size)
	}
	return some(labels)
}

func fileWithSize(name, contentType string, bytes int64) string {
	if contentType == "" {
		return fmt.Sprintf("%s (%s)", code(name), size(bytes))
	}
	return fmt.Sprintf("%s (%s, %s)", code(name), code(contentType), size(bytes))
}

// some keeps a thousand files from filling the page.
func some(labels []string) string {
	const most = 10
	if len(labels) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(labels[:most], ", "), len(labels)-most)
	}
	return strings.Join(labels, ", ")
}

func (s *AgentState) execution() string {
	if s.ExecutionID == "" {
		return ""
	}
	text := code(s.ExecutionID)
	if page := link("its page", s.PlatformURL); page != "" {
		text += ", " + page
	}
	return text
}

// statuses are the last ones, each with its time; the day only where it changes.
func (s *AgentState) statuses() string {
	const most = 12
	shown := s.Statuses
	text, day := "", ""
	if len(shown) > most {
		shown, text = shown[len(shown)-most:], "..., "
	}
	for i, at := range shown {
		since := at.Since.UTC()
		format := "15:04:05"
		if today := since.Format(time.DateOnly); today != day {
			day, format = today, time.DateTime
		}
		if i > 0 {
			text += ", "
		}
		text += code(string(at.Status)) + " " + since.Format(format)
	}
	if text != "" {
		text += " UTC"
	}
	return text
}

func (s *AgentState) earlier() string {
	labels := make([]string, len(s.FailedExecutions))
	for i, id := range s.FailedExecutions {
		labels[i] = code(id)
	}
	return some(labels)
}

func (s *AgentState) question() string {
	switch {
	case s.Phase != PhaseNeedsHuman:
		return ""
	case len(s.Questions) == 0:
		return code(s.Reason)
	}
	var asked []string
	for _, q := range s.Questions {
		text := code(q.Question)
		if q.Header != "" {
			text = code(q.Header) + ": " + text
		}
		if q.MultiSelect {
			text += ", several answers are possible"
		}
		for _, o := range q.Options {
			text += "\n  - " + code(o.Label)
			if o.Description != "" {
				text += ": " + code(o.Description)
			}
		}
		asked = append(asked, text)
	}
	return strings.Join(asked, "\n")
}

const clockTime = "2006-01-02 15:04:05 UTC"

func (s *AgentState) times() string {
	started := "started " + s.Started.UTC().Format(clockTime)
	if s.Ended.IsZero() {
		return started + ", last change " + s.Since.UTC().Format(clockTime)
	}
	return started + fmt.Sprintf(", ended %s, %s in all", s.Ended.UTC().Format(clockTime), s.Ended.Sub(s.Started).Round(time.Second))
}

// code shows a text of the agent's or the service's: whatever it holds, it cannot become Markdown or HTML.
func code(text string) string {
	if text == "" {
		return ""
	}
	const most = 500
	text = strings.Join(strings.Fields(strings.ReplaceAll(text, "`", "'")), " ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return "`" + text + "`"
}

// fenced makes a JSON value fit into a fenced block, readable and not endless.
func fenced(raw []byte) string {
	const most = 2000
	var indented bytes.Buffer
	if json.Indent(&indented, raw, "", "  ") != nil {
		return ""
	}
	text := strings.ReplaceAll(indented.String(), "```", "'''")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "\n... (the rest is in the workflow's result)"
	}
	return text
}

// link returns a Markdown link, or nothing for an address that a browser should not be sent to.
func link(text, address string) string {
	target, err := url.Parse(address)
	if err != nil || target.Host == "" || target.Scheme != "https" && target.Scheme != "http" {
		return ""
	}
	return "[" + text + "](" + strings.NewReplacer("(", "%28", ")", "%29", "<", "%3C", ">", "%3E").Replace(target.String()) + ")"
}

func size(bytes int64) string {
	switch {
	case bytes < 1000:
		return fmt.Sprintf("%d B", bytes)
	case bytes < 1000*1000:
		return fmt.Sprintf("%.1f kB", float64(bytes)/1000)
	default:
		return fmt.Sprintf("%.1f MB", float64(bytes)/1000/1000)
	}
}
