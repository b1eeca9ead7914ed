package watch

import (
	"time"
)

// Watch is the pace of the watch over executions.
type Pace struct {
	// Fast is the interval between scans while things move. It grows to Slow while nothing does.
	Fast, Slow time.Duration
	// PerPage is what every page of a scan adds to the least interval.
	PerPage time.Duration
	// Idle is how long there has to be nothing to watch for the watch to end, Term when it hands over to the next one.
	Idle, Term time.Duration
	// Announced is for how long a process relies on an announcement, Unannounced on a failed one.
	Announced, Unannounced time.Duration
}

// OfWatch makes 100 pages, which are 10,000 executions, a scan in 7.5 seconds, and every change one that is seen within ten.
var DefaultPace = Pace{
	Fast: 2 * time.Second, Slow: 8 * time.Second, PerPage: 75 * time.Millisecond,
	Idle: 5 * time.Minute, Term: time.Hour,
	Announced: time.Minute, Unannounced: 5 * time.Second,
}
