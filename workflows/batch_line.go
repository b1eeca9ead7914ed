package workflows

import (
	"fmt"
	"strings"
)

// Ended returns how many rows have ended.
func (s BatchState) Ended() int { return s.Succeeded + s.Failed + s.Cancelled }

// Bar returns a progress bar of so many characters within brackets.
func (s BatchState) Bar(width int) string { return progressBar(s.Ended(), s.Rows, width) }

// Progress returns how far the batch is, such as "37%, 1850 of 5000 rows, 12 failed, 20 at work, 3
// wait for people".
func (s BatchState) Progress() string {
	if s.Rows == 0 {
		return "no rows to run"
	}
	line := fmt.Sprintf("%d%%, %d of %d rows", 100*s.Ended()/s.Rows, s.Ended(), s.Rows)
	for _, more := range []struct {
		n    int
		what string
	}{
		{s.Failed, "failed"}, {s.Cancelled, "cancelled"}, {s.AtWork, "at work"},
		{s.NeedHuman, "wait for people"}, {s.WaitForPermit, "wait for a permit"},
	} {
		if more.n > 0 {
			line += fmt.Sprintf(", %d %s", more.n, more.what)
		}
	}
	return line
}

func progressBar(done, of, width int) string {
	filled := 0
	if of > 0 {
		filled = max(0, min(width, width*done/of))
	}
	return "[" + strings.Repeat("#", filled) + strings.Repeat(".", width-filled) + "]"
}
