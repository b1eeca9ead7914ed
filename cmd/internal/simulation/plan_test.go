package simulation

import (
	"time"

	"pgregory.net/rapid"
)

// span is a duration that JSON shows as text.
type span time.Duration

func (s span) MarshalText() ([]byte, error) { return []byte(time.Duration(s).String()), nil }

func (s *span) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	*s = span(d)
	return err
}

// attemptPlan is what happens to one attempt. The zero value goes well.
type attemptPlan struct {
	StartDelay span `json:"startDelay,omitempty"` // from when it is due until a worker takes it
	Worker     int  `json:"worker,omitempty"`
	// DieAt ends the worker's process. Each request has three points at which it can die: before it
	// is sent, when the response comes, and in the middle of the response. 0: never.
	DieAt int `json:"dieAt,omitempty"`
	// LoseResult keeps the result from the server.
	LoseResult bool `json:"loseResult,omitempty"`
	// Heartbeats of an attempt that dies, or whose result is lost, reach the server.
	Heartbeats int `json:"heartbeats,omitempty"`
	// NoDescribe makes the Temporal server refuse to describe workflows.
	NoDescribe bool           `json:"noDescribe,omitempty"`
	Exchanges  []exchangePlan `json:"exchanges,omitempty"` // its requests, in their order
}

// exchangePlan is what happens to one request. The zero value goes well.
type exchangePlan struct {
	Fault  fault `json:"fault,omitempty"`
	Delay  span  `json:"delay,omitempty"`
	Status int   `json:"status,omitempty"`
}

// fault is what goes wrong with one request.
type fault string

const (
	refused       fault = "refused"       // the connection is not opened
	lostRequest   fault = "lostRequest"   // it never arrives, and the connection breaks
	lostResponse  fault = "lostResponse"  // it is carried out, and the connection breaks
	lateCommit    fault = "lateCommit"    // it is carried out after Delay, the connection breaks at once
	silentCommit  fault = "silentCommit"  // the same, and the client waits in vain
	answered      fault = "answered"      // a gateway answers with Status
	answeredAfter fault = "answeredAfter" // the same, after it was carried out
	truncated     fault = "truncated"     // half of the response, as if it were all
	brokenOff     fault = "brokenOff"     // half of the response, then the connection breaks
	slow          fault = "slow"          // it takes Delay, so that the client may give up before it is carried out
)

// limits bound what is drawn, so that a schedule stays within what the library promises.
type limits struct {
	late     time.Duration // the longest time after which a request is carried out
	requests int           // of an attempt, with a plan
	attempts int
	statuses []int // of answers that are not the API's
}

// drawSpan draws a duration in steps of a second, or none.
func drawSpan(t *rapid.T, label string, most time.Duration) span {
	return span(rapid.IntRange(0, int(most/time.Second)).Draw(t, label)) * span(time.Second)
}

// often draws true once in n times. It shrinks to false.
func often(t *rapid.T, label string, n int) bool {
	return rapid.IntRange(0, n-1).Draw(t, label) == n-1
}

func (l limits) drawAttempts(t *rapid.T, label string) []attemptPlan {
	return rapid.SliceOfN(rapid.Custom(l.drawAttempt), 0, l.attempts).Draw(t, label)
}

func (l limits) drawAttempt(t *rapid.T) (a attemptPlan) {
	a.Worker = rapid.IntRange(0, 2).Draw(t, "worker")
	if often(t, "late start", 4) {
		a.StartDelay = span(rapid.SampledFrom([]time.Duration{50 * time.Millisecond, time.Second, 20 * time.Second, time.Minute}).Draw(t, "start delay"))
	}
	switch rapid.IntRange(0, 5).Draw(t, "end") {
	case 4:
		a.DieAt = rapid.IntRange(1, 3*l.requests).Draw(t, "dies at")
	case 5:
		a.LoseResult = true
	}
	if a.DieAt > 0 || a.LoseResult {
		a.Heartbeats = rapid.IntRange(0, 3).Draw(t, "heartbeats")
	}
	a.NoDescribe = often(t, "no describe", 8)
	a.Exchanges = rapid.SliceOfN(rapid.Custom(l.drawExchange), 0, l.requests).Draw(t, "exchanges")
	return a
}

func (l limits) drawExchange(t *rapid.T) (x exchangePlan) {
	faults := []fault{
		"", "", "", lostResponse, lateCommit, answered, answeredAfter, lostRequest, silentCommit, refused, truncated, brokenOff, slow,
	}
	switch x.Fault = rapid.SampledFrom(faults).Draw(t, "fault"); x.Fault {
	case lateCommit, silentCommit:
		x.Delay = drawSpan(t, "after", l.late)
	case slow:
		x.Delay = drawSpan(t, "takes", 20*time.Second)
	case answered, answeredAfter:
		x.Status = rapid.SampledFrom(l.statuses).Draw(t, "status")
		if x.Status == 429 {
			x.Delay = drawSpan(t, "retry after", 10*time.Second)
		}
	}
	if x.Fault == answeredAfter && x.Status/100 == 4 && x.Status != 408 {
		x.Status = 502 // a refusal that the API itself gives has no effect
	}
	return x
}

// drawConditions draws what holds all the time. Listings show an execution within the given time.
func drawConditions(t *rapid.T, listed time.Duration) (c conditions) {
	c.ListDelay = drawSpan(t, "list delay", listed/2)
	c.ListJitter = drawSpan(t, "list jitter", listed/2)
	c.ReadDelay = drawSpan(t, "read delay", 3*time.Second)
	for i := range c.Offsets {
		c.Offsets[i] = drawSpan(t, "offset", 2*time.Minute)
		if often(t, "behind", 2) {
			c.Offsets[i] = -c.Offsets[i]
		}
	}
	c.Service = drawSpan(t, "service offset", 3*time.Second)
	return c
}
