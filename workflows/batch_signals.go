package workflows

import (
	"go.temporal.io/sdk/workflow"
)

// The signals between a batch, its segments and its rows. Each tells a whole state and when that
// was, not a change. So one that comes late, twice or not at all does no harm.
const (
	segmentReportSignal  = "asteroid.batchSegmentReport"  // of a segment, to its batch
	segmentCommandSignal = "asteroid.batchSegmentCommand" // of a batch, to its segment
	rowWaitSignal        = "asteroid.batchRowWait"        // of a row, to its batch
)

// segmentReport is how far a segment has come. It is its result, too.
type segmentReport struct {
	Mark    string `json:"mark"` // of the plan
	Pass    int    `json:"pass"`
	Segment int    `json:"segment"`
	At      int64  `json:"at"` // in nanoseconds; the latest report counts
	segmentCounts
	AtWork int `json:"atWork,omitempty"`
	// Slots are those that the batch has given as far as the segment knows. It has returned
	// Released of them.
	Slots    int `json:"slots"`
	Released int `json:"released,omitempty"`
	// Tail says that no row is left that it could start if it had more slots. Done says that all
	// its rows have ended, and that their results are written.
	Tail bool `json:"tail,omitempty"`
	Done bool `json:"done,omitempty"`
	// Held says that it starts no rows because too many have failed, as far as it knows.
	Held bool `json:"held,omitempty"`
}

// segmentCommand is what a segment is to do.
type segmentCommand struct {
	At    int64 `json:"at"`    // in nanoseconds; the latest command counts
	Slots int   `json:"slots"` // all that the batch has given, less those that it wants back
	// Paused starts no rows for now, Stop starts none any more, and Cancel cancels those under way.
	Paused bool `json:"paused,omitempty"`
	Stop   bool `json:"stop,omitempty"`
	Cancel bool `json:"cancel,omitempty"`
	// Ended and Failed count rows of the pass in other segments.
	Ended  int `json:"ended,omitempty"`
	Failed int `json:"failed,omitempty"`
}

// rowWait says for whom a row waits: needsHuman, waitingForPermit, or nobody.
type rowWait struct {
	Pass    int   `json:"pass"`
	Segment int   `json:"segment"`
	Number  int   `json:"number"`
	At      int64 `json:"at"`
	Phase   Phase `json:"phase,omitempty"`
}

// later returns the time, as a number that is larger than the one before.
func later(ctx workflow.Context, before int64) int64 {
	return max(before+1, workflow.Now(ctx).UnixNano())
}
