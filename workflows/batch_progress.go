package workflows

import (
	"time"

	"github.com/temporal-asteroid/asteroid"
)

// batchProgress is what a batch knows of itself. A run of the workflow hands it to the next.
type batchProgress struct {
	StartedAt time.Time `json:"startedAt"`
	// MaxConcurrent, Paused and Reruns are as people have set them since the batch began.
	MaxConcurrent int  `json:"maxConcurrent"`
	Paused        bool `json:"paused,omitempty"`
	Reruns        int  `json:"reruns,omitempty"` // passes that still follow this one
	// Stopped is why no more rows start. Cancelled says that their agents are cancelled, too.
	// WorkflowCancelled says that it is the workflow that was cancelled: the server does not tell
	// the next run.
	Stopped           string `json:"stopped,omitempty"`
	Cancelled         bool   `json:"cancelled,omitempty"`
	WorkflowCancelled bool   `json:"workflowCancelled,omitempty"`

	// Mark is that of the plan.
	Mark string `json:"mark,omitempty"`
	// Pass is the pass that is under way, from 1; 0 while the first one is planned. PassRows are to
	// run in it, in Segments segments, of which Next is the first that has not been started.
	Pass     int            `json:"pass,omitempty"`
	PassRows int            `json:"passRows,omitempty"`
	Segments int            `json:"segments,omitempty"`
	Next     int            `json:"next,omitempty"`
	Open     []*openSegment `json:"open,omitempty"`
	// Closed are the counts of the closed segments of the pass, and Before those of earlier passes
	// without the rows that run again in this one.
	Closed segmentCounts `json:"closed,omitzero"`
	Before segmentCounts `json:"before,omitzero"`

	AllRows          int `json:"allRows,omitempty"` // of the first pass
	AlreadySucceeded int `json:"alreadySucceeded,omitempty"`
	Skipped          int `json:"skipped,omitempty"`
	// SearchAttributes are those that the batch may set.
	SearchAttributes *asteroid.SearchAttributes `json:"searchAttributes,omitempty"`
	Warnings         []string                   `json:"warnings,omitempty"`
	// Waits are the rows that wait for somebody.
	Waits []rowWait `json:"waits,omitempty"`
	// Samples are numbers of ended rows in the last minutes, for the rate.
	Samples []rateSample `json:"samples,omitempty"`
}

// openSegment is a segment that has been started and has not ended.
type openSegment struct {
	Number int `json:"number"`
	// Starts counts how often it was started: one that was terminated runs again.
	Starts int `json:"starts"`
	// Slots is how many rows it may have under way, with those that Report says it has returned.
	Slots  int           `json:"slots"`
	Report segmentReport `json:"report"`
	// Sent is the latest command.
	Sent segmentCommand `json:"sent"`

	unconfirmed bool // the server has not confirmed its start: a signal would get lost

	ended    bool
	unfollow func() // ends the wait for one that is no child of this run
}

// held returns how many slots the segment has.
func (s *openSegment) held() int { return s.Slots - s.Report.Released }

// segmentCounts are numbers of rows that have ended.
type segmentCounts struct {
	Succeeded int `json:"succeeded,omitempty"`
	Failed    int `json:"failed,omitempty"`
	Cancelled int `json:"cancelled,omitempty"`
}

func (c segmentCounts) ended() int { return c.Succeeded + c.Failed + c.Cancelled }

func (c segmentCounts) plus(other segmentCounts) segmentCounts {
	return segmentCounts{c.Succeeded + other.Succeeded, c.Failed + other.Failed, c.Cancelled + other.Cancelled}
}

// add counts a row by the status with which it has ended.
func (c *segmentCounts) add(status asteroid.RowStatus) {
	switch status {
	case asteroid.RowSucceeded:
		c.Succeeded++
	case asteroid.RowCancelled:
		c.Cancelled++
	default:
		c.Failed++
	}
}

// ofPass returns the counts of the rows that have ended in this pass.
func (p *batchProgress) ofPass() segmentCounts {
	counts := p.Closed
	for _, segment := range p.Open {
		counts = counts.plus(segment.Report.segmentCounts)
	}
	return counts
}

// find returns an open segment of the pass, or nil.
func (p *batchProgress) find(pass, number int) *openSegment {
	for _, segment := range p.Open {
		if pass == p.Pass && segment.Number == number {
			return segment
		}
	}
	return nil
}
