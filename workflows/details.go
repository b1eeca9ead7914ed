package workflows

import (
	"bytes"
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/bound"
	"github.com/temporal-asteroid/asteroid/internal/budget"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// markdown renders the agents for a person who opens the workflow's page. A workflow may run
// thousands of agents: it shows the newest ones in full, and some earlier ones in a line each, as
// far as the page has room.
func (a *agents) markdown() string {
	const inFull, most = 10, 50
	var shown []string // the newest first
	left := budget.Details
	for i, r := range slices.Backward(a.runs) {
		age, part := len(a.runs)-i, r.page
		if age > inFull && !r.state.Ended.IsZero() || len(part) > left {
			part = r.state.headline() + ", execution " + inlineCode(r.state.ExecutionID) + "\n"
		}
		if left -= len(part); age > most || left < 0 {
			break
		}
		shown = append(shown, part)
	}
	if hidden := len(a.runs) - len(shown); hidden > 0 {
		shown = append(shown, "\n"+strconv.Itoa(hidden)+" earlier agents are not shown.\n")
	}
	slices.Reverse(shown)
	return strings.Join(shown, "")
}

func (s *AgentState) headline() string {
	return "\n**Agent** " + inlineCode(cmp.Or(s.AgentName, s.AgentID)) + " " + s.activity()
}

func (s *AgentState) markdown() string {
	var page strings.Builder
	line := func(label, text string) {
		if text != "" {
			page.WriteString("- **" + label + "**: " + text + "\n")
		}
	}
	page.WriteString(s.headline() + "\n\n")
	line("Warnings", joinLimited(s.Warnings, inlineCode))
	line("Files", s.fileList())
	line("Execution", s.execution())
	line(s.starter())
	line("Status", s.statusHistory())
	if !s.UnreadableSince.IsZero() {
		line("Problem", "cannot be read since "+s.UnreadableSince.UTC().Format(clockTime)+"; what is shown is from before")
	}
	line("Earlier attempts", joinLimited(s.FailedExecutions, inlineCode))
	line("Output files", joinLimited(s.Outputs, func(f asteroid.OutputFile) string { return fileWithSize(f.Name, f.ContentType, f.Size) }))
	line("Asked", s.question())
	line("Answer", s.latestAnswer())
	page.WriteString(s.howToAnswer())
	if s.Phase != PhaseNeedsHuman { // else it is the question, or repeats it
		line("Reason", inlineCode(s.Reason))
	}
	line("Time", s.times())
	if !s.terminal() {
		line("Live view", link("watch the agent work", s.LiveViewURL))
	} else {
		line("Recording", link("watch what the agent did", s.RecordingURL))
	}
	line("Error", inlineCode(s.Error))
	line("The result does not fit its schema", joinLimited(s.ResultMismatch, inlineCode))
	line(s.scriptFailures())
	if o := s.omitted; o != nil {
		line("Result", fmt.Sprintf("%s, too large to be shown: %s", formatSize(o.Bytes), inlineCode(o.URI)))
	}
	if len(s.result) > 0 {
		page.WriteString("\n**Result**\n\n```json\n" + fencedJSON(s.result) + "\n```\n")
	}
	return page.String()
}

// starter tells who started the execution, if it was not the workflow.
func (s *AgentState) starter() (label, by string) {
	label, who := "Started by", s.StartedBy
	if s.rerun {
		label = "Rerun by"
	}
	if who == nil || !s.rerun && (who.Client == "" || who.Client == "sdk") {
		return label, ""
	}
	by = strings.ReplaceAll(text.Line(who.Kind, budget.Name), "_", " ") + " " + inlineCode(who.ID)
	if who.Client != "" {
		by += " through " + inlineCode(who.Client)
	}
	return label, by
}

// scriptFailures tells of failed scripts. A run that completed in spite of them has scripts that
// are out of date.
func (s *AgentState) scriptFailures() (label, failures string) {
	if s.Status == asteroid.StatusCompleted {
		label = "Scripts that failed, although the agent completed"
	} else {
		label = "Scripts that failed"
	}
	return label, joinLimited(s.ScriptFailures, func(f asteroid.ScriptFailure) string {
		told := inlineCode(cmp.Or(f.Script, f.Node, "a script"))
		if f.Line > 0 {
			told += fmt.Sprintf(" line %d", f.Line)
		}
		return told + ": " + inlineCode(f.Error)
	})
}

// activity returns what the agent does, as the rest of a sentence that its name begins.
func (s *AgentState) activity() string {
	switch s.Phase {
	case PhaseWaitingForTurn:
		return "**waits for its turn**: other agents of the workflow go first"
	case PhaseWaitingForPermit:
		if s.PermitUnservedQueue != "" {
			return "**waits for a permit** of " + inlineCode(s.Permit) + ", which nobody grants: no worker polls the task queue " + inlineCode(s.PermitUnservedQueue)
		}
		if s.Permit == "" {
			return "**waits for a permit**: no limiter has taken its request yet"
		}
		return "**waits for a permit** of " + inlineCode(s.Permit) + ", " + strconv.Itoa(s.PermitBefore) + " before it"
	case PhaseStaging:
		return "gets its files staged"
	case PhaseExecuting:
		return "is being started"
	case PhaseWaitingForCapacity:
		return "is **waiting for capacity** since " + s.Since.UTC().Format(clockTime)
	case PhaseRunning:
		switch {
		case s.terminal():
			return "is finished: " + string(s.Status)
		case s.Status.Class() == asteroid.ClassUnknown && s.Status != "":
			return "is " + inlineCode(string(s.Status)) + ", a status that this version of the library does not know"
		}
		return "is at work"
	case PhasePaused:
		return "is **paused** by a person"
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
			return "completed, outcome " + inlineCode(s.Outcome)
		}
		return "completed"
	default:
		if s.terminal() && s.Status != asteroid.StatusCompleted {
			return "is finished: " + string(s.Status)
		}
		return "failed"
	}
}

func (s *AgentState) fileList() string {
	if len(s.Files) == 0 {
		return joinLimited(s.requested, inlineCode)
	}
	return joinLimited(s.Files, func(f asteroid.StagedFile) string { return fileWithSize(f.Name, f.ContentType, f.Size) })
}

func fileWithSize(name, contentType string, bytes int64) string {
	const limit = 100 // in bytes, of the name
	name = codeSpan(name, limit)
	if contentType == "" {
		return fmt.Sprintf("%s (%s)", name, formatSize(bytes))
	}
	return fmt.Sprintf("%s (%s, %s)", name, codeSpan(contentType, limit), formatSize(bytes))
}

// joinLimited lists the first items, so that a thousand files do not fill the page.
func joinLimited[T any](items []T, text func(T) string) string {
	const limit = 10
	if len(items) > limit {
		return fmt.Sprintf("%s and %d more", strings.Join(texts(items[:limit], text), ", "), len(items)-limit)
	}
	return strings.Join(texts(items, text), ", ")
}

// texts returns the text of each item.
func texts[T any](items []T, text func(T) string) []string {
	out := make([]string, len(items))
	for i, item := range items {
		out[i] = text(item)
	}
	return out
}

func (s *AgentState) execution() string {
	text := inlineCode(s.ExecutionID)
	if page := link("its page", s.PlatformURL); text != "" && page != "" {
		text += ", " + page
	}
	return text
}

// statusHistory returns the latest statuses and their times, with the day only where it changes.
func (s *AgentState) statusHistory() string {
	const limit = 12
	shown := s.Statuses
	text, day := "", ""
	if len(shown) > limit {
		shown, text = shown[len(shown)-limit:], "..., "
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
		text += inlineCode(string(at.Status)) + " " + since.Format(format)
	}
	if text != "" {
		text += " UTC"
	}
	return text
}

func (s *AgentState) question() string {
	switch {
	case s.Phase != PhaseNeedsHuman:
		return ""
	case len(s.Questions) == 0:
		return inlineCode(s.Reason)
	}
	const limit = 4000 // in bytes
	text := ""
	for i, q := range s.Questions {
		shown := questionWithOptions(q)
		if len(text)+len(shown) > limit {
			return text + fmt.Sprintf("%d more questions or answers are in the state", len(s.Questions)-i)
		}
		text += shown + "\n"
	}
	return strings.TrimSuffix(text, "\n")
}

func questionWithOptions(q asteroid.Question) string {
	text := inlineCode(q.Question)
	if q.Header != "" {
		text = inlineCode(q.Header) + ": " + text
	}
	if q.MultiSelect {
		text += ", several answers are possible"
	}
	const limit = 10
	for i, o := range q.Options {
		if i == limit {
			return text + fmt.Sprintf("\n  - %d more answers", len(q.Options)-limit)
		}
		text += "\n  - " + inlineCode(o.Label)
		if o.Description != "" {
			text += ": " + inlineCode(o.Description)
		}
	}
	return text
}

const clockTime = "2006-01-02 15:04:05 UTC"

func (s *AgentState) times() string {
	started := "started " + s.Started.UTC().Format(clockTime)
	if s.Ended.IsZero() {
		return started + ", last change " + s.Since.UTC().Format(clockTime)
	}
	return started + fmt.Sprintf(", finished %s, %s in all", s.Ended.UTC().Format(clockTime), s.Ended.Sub(s.Started).Round(time.Second))
}

// inlineCode renders a text of the agent or the service so that it cannot become Markdown or HTML.
func inlineCode(foreign string) string { return codeSpan(foreign, budget.Inline) }

// codeSpan is inlineCode with at most so many bytes of the text.
func codeSpan(foreign string, limit int) string {
	shown := text.Line(foreign, limit)
	if shown == "" {
		return ""
	}
	return "`" + strings.ReplaceAll(shown, "`", "'") + "`"
}

// fencedJSON renders the beginning of a JSON value so that it fits a fenced block. Its time does
// not depend on the size and depth of the value.
func fencedJSON(raw []byte) string {
	cut := raw[:min(len(raw), budget.ShownResult)]
	indented := indentJSON(cut)
	shown := strings.ReplaceAll(text.Prose(indented, budget.ShownResult), "```", "'''")
	if len(cut) < len(raw) || len(indented) > budget.ShownResult {
		shown += "\n(the rest is in the workflow's result)"
	}
	return shown
}

// indentJSON indents the beginning of a JSON value as json.Indent does, up to a certain depth.
func indentJSON(raw []byte) string {
	const deepest = 12
	var out strings.Builder
	depth, inString := 0, false
	newLine := func() { out.WriteString("\n" + strings.Repeat("  ", max(0, min(depth, deepest)))) }
	for i, c := range raw {
		switch {
		case inString:
			out.WriteByte(c)
			inString = c != '"' || escaped(raw, i)
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
		case c == '{' || c == '[':
			out.WriteByte(c)
			depth++
			if next := bytes.TrimLeft(raw[i+1:min(len(raw), i+8)], " \t\r\n"); len(next) == 0 || next[0] != c+2 { // not empty
				newLine()
			}
		case c == '}' || c == ']':
			depth--
			if open := bytes.TrimRight(raw[max(0, i-8):i], " \t\r\n"); len(open) == 0 || open[len(open)-1] != c-2 {
				newLine()
			}
			out.WriteByte(c)
		case c == ',':
			out.WriteByte(c)
			newLine()
		case c == ':':
			out.WriteString(": ")
		default:
			out.WriteByte(c)
			inString = c == '"'
		}
	}
	return out.String()
}

// escaped reports whether the byte at i follows an odd number of backslashes.
func escaped(raw []byte, i int) bool {
	return (i-len(bytes.TrimRight(raw[:i], `\`)))%2 == 1
}

const maxLink = 2000 // a page has room for several

// link returns a Markdown link. It is empty if a browser must not open the address.
func link(text, address string) string {
	if bound.URL(address, maxLink) == "" {
		return ""
	}
	target, err := url.Parse(address)
	if err != nil || target.Host == "" || target.Scheme != "https" && target.Scheme != "http" {
		return ""
	}
	return "[" + text + "](" + strings.NewReplacer("(", "%28", ")", "%29", "<", "%3C", ">", "%3E").Replace(target.String()) + ")"
}

func formatSize(bytes int64) string {
	switch {
	case bytes < 1000:
		return fmt.Sprintf("%d B", bytes)
	case bytes < 1000*1000:
		return fmt.Sprintf("%.1f kB", float64(bytes)/1000)
	default:
		return fmt.Sprintf("%.1f MB", float64(bytes)/1000/1000)
	}
}
