package testsuite

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

const (
	maxPageLog  = 500       // entries
	maxPageJSON = 64 * 1024 // bytes
	// maxIndented bounds the arrays and objects of JSON that is indented: the indentation of nested
	// ones grows with the square of their number.
	maxIndented = 500
)

// executionView is what pages.html shows of an execution.
type executionView struct {
	Agent, Status, Class string
	Working              bool
	Views                []viewLink
	Asks                 []Question
	Result               *resultView
	Files                []fileView
	Log                  []logView
	Omitted              int // older entries of the log
	Latest               *logView
	Duration             time.Duration
	Facts                []factView
	Inputs               string
}

type (
	viewLink struct {
		Path, Name string
		Current    bool
	}
	resultView struct{ Outcome, Reasoning, JSON string }
	fileView   struct {
		Directory, Name, Link, ContentType string
		Size                               int64
	}
	logView  struct{ At, Kind, Text string }
	factView struct{ Name, Value string }
)

// page returns what the pages show of an execution. Clients of the API see the same.
func (e *execution) page(links linker, now time.Time, current string) *executionView {
	v := &executionView{
		Agent: e.agent.name, Status: string(e.status), Class: statusClass(e.status), Working: e.status == api.ExecutionStatusRunning,
		Asks: e.asks(), Facts: e.facts(), Inputs: pageJSON(nil),
	}
	for _, view := range []viewLink{{"", "Execution", false}, {liveView, "Live view", false}, {recordingView, "Recording", false}} {
		if view.Path == recordingView && !e.recorded() {
			continue
		}
		view.Current = view.Path == current
		view.Path = strings.TrimSuffix("/executions/"+e.id+"/"+view.Path, "/")
		v.Views = append(v.Views, view)
	}
	if !e.startedAt.IsZero() && terminal(e.status) {
		v.Duration = e.terminalAt.Sub(e.startedAt).Round(time.Second)
	}
	if result := e.visibleResult(now); result != nil {
		v.Result = &resultView{result.Outcome, result.Reasoning, pageJSON(e.service.deepResults.insert(result.Result))}
	}
	for _, f := range e.visibleFiles(now) {
		v.Files = append(v.Files, fileView{f.directory, f.name, links.file(e, f), f.contentType, f.blob.size})
	}
	if !e.purgedAt.IsZero() {
		return v
	}
	if len(e.inputs) > 0 {
		var raw bytes.Buffer
		encoder := json.NewEncoder(&raw)
		encoder.SetEscapeHTML(false) // the template escapes
		_ = encoder.Encode(e.inputs) // decoded from JSON, so this succeeds
		v.Inputs = pageJSON(raw.Bytes())
	}
	v.Log = e.log(now, current == recordingView)
	if v.Omitted = max(0, len(v.Log)-maxPageLog); v.Omitted > 0 {
		v.Log = v.Log[v.Omitted:]
	}
	if len(v.Log) > 0 {
		v.Latest = &v.Log[len(v.Log)-1]
	}
	return v
}

func statusClass(status api.ExecutionStatus) string {
	switch {
	case working(status):
		return "working"
	case status == api.ExecutionStatusCompleted:
		return "completed"
	case terminal(status):
		return "failed"
	}
	return "waiting"
}

// asks returns what the agent asks while it waits for a person.
func (e *execution) asks() []Question {
	for _, a := range slices.Backward(e.activities) {
		change, ok := a.payload.(api.StatusChangedPayload)
		switch {
		case !ok:
		case change.AwaitingConfirmationPayload != nil:
			return []Question{{Header: "confirm", Text: change.AwaitingConfirmationPayload.Reason}}
		case change.Status != api.ExecutionStatusPausedByAgent:
			return nil
		case change.PausedPayload.Question == nil:
			return []Question{{Text: change.PausedPayload.Reason}}
		default:
			var asked []Question
			for _, item := range change.PausedPayload.Question.Questions {
				q := Question{Header: item.Header, Text: item.Question}
				for _, option := range item.Options {
					q.Options = append(q.Options, Choice{Label: option.Label, Description: option.Description})
				}
				asked = append(asked, q)
			}
			return asked
		}
	}
	return nil
}

// log returns the execution's log, oldest first: at the time of day, or counted from the start.
func (e *execution) log(now time.Time, fromStart bool) []logView {
	var log []logView
	for _, a := range e.activities {
		entry, shown := logEntry(a.payload)
		if file, ok := a.payload.(*executionFile); !shown || ok && now.Before(file.visibleAt) {
			continue
		}
		entry.At = a.at.Format("15:04:05")
		if fromStart {
			entry.At = max(0, a.at.Sub(e.startedAt)).Round(time.Second).String()
		}
		log = append(log, entry)
	}
	return log
}

// logEntry returns what the log shows of an activity. The end of an action says nothing new.
func logEntry(payload any) (entry logView, shown bool) {
	switch p := payload.(type) {
	case api.ReasoningPayload:
		return logView{Kind: "reasoning", Text: p.Reasoning}, true
	case api.ActionStartedPayload:
		return logView{Kind: p.ActionName, Text: p.Message}, true
	case api.UserMessageReceivedPayload:
		return logView{Kind: "message", Text: p.Message}, true
	case *executionFile:
		return logView{Kind: "file", Text: fmt.Sprintf("%s (%d bytes)", p.path(), p.blob.size)}, true
	case api.StatusChangedPayload:
		return logView{Kind: "status", Text: strings.TrimSuffix(string(p.Status)+": "+changeReason(p), ": ")}, true
	}
	return logView{}, false
}

func changeReason(p api.StatusChangedPayload) string {
	switch {
	case p.CompletedPayload != nil:
		return p.CompletedPayload.Reasoning
	case p.FailedPayload != nil:
		return p.FailedPayload.Reason
	case p.CancelledPayload != nil:
		return string(p.CancelledPayload.Reason)
	case p.PausedPayload != nil:
		return p.PausedPayload.Reason
	case p.AwaitingConfirmationPayload != nil:
		return p.AwaitingConfirmationPayload.Reason
	}
	return ""
}

// facts returns the remaining members of an execution by name.
func (e *execution) facts() []factView {
	facts := []factView{
		{"Id", e.id}, {"Agent", e.agent.id}, {"Version", strconv.Itoa(e.runs.number)}, {"Organization", e.agent.organization.name}, {"Source", e.source},
		{"Created", pageTime(e.createdAt)}, {"Started", pageTime(e.startedAt)}, {"Ended", pageTime(e.terminalAt)},
		{"Purged", pageTime(e.purgedAt)}, {"Rerun of", e.parent}, {"Profile", e.profileID}, {"Profile group", e.groupID},
	}
	for _, name := range slices.Sorted(maps.Keys(e.metadata)) {
		facts = append(facts, factView{name, e.metadata[name]})
	}
	return slices.DeleteFunc(facts, func(f factView) bool { return f.Value == "" })
}

func pageTime(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.Format("2006-01-02 15:04:05 MST")
}

// pageJSON returns JSON for people to read: indented if it is small, and cut if it is large.
func pageJSON(raw json.RawMessage) string {
	if len(raw) > maxPageJSON {
		return strings.ToValidUTF8(string(raw[:maxPageJSON]), "") + fmt.Sprintf("\n... and %d more bytes", len(raw)-maxPageJSON)
	}
	var indented bytes.Buffer
	if bytes.Count(raw, []byte("{"))+bytes.Count(raw, []byte("[")) > maxIndented || json.Indent(&indented, raw, "", "  ") != nil {
		return string(raw)
	}
	return indented.String()
}
