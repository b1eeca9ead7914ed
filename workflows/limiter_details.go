package workflows

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/budget"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// show shows the limiter to a person who opens its page.
func (l *limiter) show(ctx workflow.Context) {
	workflow.SetCurrentDetails(ctx, l.markdown(workflow.GetInfo(ctx)))
}

// markdown renders the limiter: who holds its permits, who is next, and how to change that.
func (l *limiter) markdown(info *workflow.Info) string {
	const shown = 10
	var page strings.Builder
	q := l.queue
	held := fmt.Sprintf("**%d of %d** permits of %s are held, %d runs wait.", len(q.holders), q.max, inlineCode(l.in.Key), q.waiting())
	page.WriteString(held)
	if q.maxSet {
		page.WriteString(" An operator has set the number of permits.")
	}
	page.WriteString("\n\n")
	list := func(title string, of int, lines []string) {
		if of == 0 {
			return
		}
		page.WriteString("**" + title + "**\n\n" + strings.Join(lines, ""))
		if of > len(lines) {
			page.WriteString("- and " + strconv.Itoa(of-len(lines)) + " more\n")
		}
		page.WriteString("\n")
	}
	var holders, next []string
	for _, h := range q.holders[:min(len(q.holders), shown)] {
		holders = append(holders, permitLineOf(h.PermitRequest, h.since))
	}
	for _, r := range q.inOrder(shown) {
		next = append(next, permitLineOf(r, r.RequestedAt))
	}
	list("Held by", len(q.holders), holders)
	list("Next", q.waiting(), next)
	page.WriteString("**To change it**, send this workflow an update, in the web UI by *More Actions*, *Send an Update*:\n\n")
	set := neutralJSON(asteroid.SetLimitInput{Max: q.max + 1})
	page.WriteString("- `" + asteroid.SetLimitUpdate + "` with `" + set + "`: sets the number of permits; 0 lets the runs' own limits say again\n")
	if len(q.holders) > 0 {
		free := neutralJSON(asteroid.FreePermitInput{Token: q.holders[0].Token})
		page.WriteString("- `" + asteroid.FreePermitUpdate + "` with `" + free + "`: takes a permit from its holder, who is not told\n")
	}
	page.WriteString("\nOr on the command line, for example\n\n```sh\n" + updateCommand(info, asteroid.SetLimitUpdate, set) + "\n```\n")
	return text.Truncate(page.String(), budget.Details)
}

// permitLineOf shows a run that holds a permit or waits for one.
func permitLineOf(r asteroid.PermitRequest, since time.Time) string {
	line := "- " + inlineCode(r.WorkflowID)
	if r.FairnessKey != "" {
		line += " of " + inlineCode(r.FairnessKey)
	}
	return line + " since " + since.UTC().Format(clockTime) + "\n"
}
