package workflows

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid/internal/budget"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// barWidth is the number of characters of a bar on a page.
const barWidth = 30

// markdown renders the state for a person who opens the workflow's page.
func (b *batch) markdown(info *workflow.Info, s BatchState) string {
	var page strings.Builder
	line := func(label, format string, args ...any) {
		page.WriteString("- **" + label + "**: " + fmt.Sprintf(format, args...) + "\n")
	}
	page.WriteString("**Batch** " + inlineCode(b.plan.BatchKey) + " of agent " + inlineCode(b.in.Template.AgentID) +
		" is **" + s.Phase + "** since " + s.Since.UTC().Format(clockTime) + "\n\n")
	if s.Pass > 0 {
		page.WriteString("`" + s.Bar(barWidth) + "` " + s.Progress() + "\n\n")
	}
	if s.Pass > 1 {
		line("Pass", "%d runs rows again that failed: %d of %d have ended", s.Pass, b.ofPass().ended(), b.PassRows)
	}
	if s.NeedHuman > 0 {
		line("Waiting for people", "%s. Their workflows %s say how to answer; `asteroid list --waiting` shows them.",
			b.waitingRows(PhaseNeedsHuman), inlineCode(prefix(b.plan.BatchKey)+"/row/..."))
	}
	if s.AlreadySucceeded+s.Skipped > 0 {
		line("Not run", "%d succeeded in an earlier batch of this key, %d are malformed", s.AlreadySucceeded, s.Skipped)
	}
	if s.RowsPerMinute > 0 && s.Phase == batchRunning {
		line("Rate", "%.1f rows a minute lately; at that rate it ends at %s", s.RowsPerMinute, s.EstimatedEnd.UTC().Format(clockTime))
	}
	line("Results", "%s", inlineCode(b.plan.Results.Destination))
	if s.Stopped != "" {
		line("Stopped", "%s", inlineCode(s.Stopped))
	}
	if s.Error != "" {
		line("Error", "%s", inlineCode(s.Error))
	}
	page.WriteString(b.howToSteer(info))
	return text.Truncate(page.String(), budget.Details)
}

// waitingRows names the first rows that wait for somebody.
func (b *batch) waitingRows(phase Phase) string {
	var numbers []int
	for _, wait := range b.Waits {
		if wait.Phase == phase {
			numbers = append(numbers, wait.Number)
		}
	}
	slices.Sort(numbers)
	return "rows " + joinLimited(numbers, strconv.Itoa)
}

// howToSteer shows the updates that the batch takes now, for the web UI and for the command line.
func (b *batch) howToSteer(info *workflow.Info) string {
	updates := b.updatesNow()
	if len(updates) == 0 {
		return ""
	}
	var page strings.Builder
	page.WriteString("\n**To steer it**, send this workflow an update, in the web UI by *More Actions*, *Send an Update*:\n\n")
	for _, u := range updates {
		page.WriteString("- `" + u.name + "`")
		if u.input != nil {
			page.WriteString(" with `" + neutralJSON(u.input) + "`")
		}
		page.WriteString(": " + u.does + "\n")
	}
	page.WriteString("\nOr on the command line, for example\n\n```sh\n" + updateCommand(info, updates[0].name, "") + "\n```\n")
	return page.String()
}

// updateOffer is an update that a person may send now.
type updateOffer struct {
	name  string
	input any
	does  string
}

// updatesNow returns the updates that have an effect now.
func (b *batch) updatesNow() []updateOffer {
	pause := updateOffer{PauseBatchUpdate, nil, "starts no new rows; those at work go on"}
	if b.Paused {
		pause = updateOffer{ResumeBatchUpdate, nil, "starts rows again"}
	}
	var now []updateOffer
	for _, u := range []updateOffer{
		pause,
		{SetConcurrencyUpdate, SetConcurrencyInput{b.MaxConcurrent}, "sets how many rows are at work at once"},
		{RerunFailedUpdate, nil, "runs the failed rows again at the end"},
		{CancelBatchUpdate, nil, "cancels the agents at work, starts no new rows, and writes the results"},
	} {
		if b.check(u.name) == nil {
			now = append(now, u)
		}
	}
	return now
}
