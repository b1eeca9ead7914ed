package client

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/budget"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// The methods of this file read one member each. A member that is missing, null or of another form
// is the zero value: it costs itself, not the response.

// text returns a string. A number counts as its digits.
func (m members) text(name string) string {
	raw := m[name]
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var n json.Number
	if json.Unmarshal(raw, &n) == nil {
		return n.String()
	}
	return ""
}

// status returns the status. White space around it and its letter case do not make it another one.
// An unknown one enters heartbeats and errors, so its length is bounded.
func (m members) status() asteroid.Status {
	said := strings.TrimSpace(m.text("status"))
	if known := asteroid.Status(strings.ToLower(said)); known.Class() != asteroid.ClassUnknown {
		return known
	}
	return asteroid.Status(text.Prose(said, budget.Name))
}

// terminal reports whether an execution of this status has ended.
func (m members) terminal(status asteroid.Status) bool {
	e := asteroid.Execution{Status: status, TerminalAt: m.timePointer("terminalAt")}
	if m.result() != nil {
		e.ExecutionResult = &asteroid.ExecutionResult{}
	}
	return e.Terminal()
}

// result returns the members of an execution's result. It returns nil where there is none, or none
// yet: the service may have an object for it that is still empty.
func (m members) result() members {
	r := m.object("executionResult")
	if value := r["result"]; r.text("outcome") == "" && r.text("reasoning") == "" && (value == nil || string(value) == "null") {
		return nil
	}
	return r
}

// number returns a number, or a string that holds one.
func (m members) number(name string) float64 {
	n, err := strconv.ParseFloat(strings.TrimSpace(m.text(name)), 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return 0
	}
	return n
}

// integer returns a number that has no fraction, such as 3 or 3.0.
func (m members) integer(name string) int64 {
	if n, err := strconv.ParseInt(m.text(name), 10, 64); err == nil {
		return n // beyond 2^53, where a float has no exact value
	}
	n := m.number(name)
	if n != math.Trunc(n) || math.Abs(n) > 1<<53 {
		return 0
	}
	return int64(n)
}

// count is integer, with nil where there is none.
func (m members) count(name string) *int {
	if m.text(name) == "" {
		return nil
	}
	return new(int(m.integer(name)))
}

func (m members) flag(name string) bool {
	set, err := strconv.ParseBool(strings.Trim(string(m[name]), `"`))
	return err == nil && set
}

// time returns a time in RFC 3339, with a blank in place of the T or without a zone (then UTC), or
// in seconds or milliseconds since 1970.
func (m members) time(name string) time.Time {
	value := strings.Replace(strings.TrimSpace(m.text(name)), " ", "T", 1)
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, value); err == nil {
			return t
		}
	}
	const (
		earliestSeconds = 946_684_800    // the year 2000
		latestSeconds   = 10_000_000_000 // the year 2286: more are milliseconds
		latestMillis    = 100_000_000_000_000
	)
	switch n := m.number(name); {
	case n >= earliestSeconds && n < latestSeconds:
		return time.UnixMilli(int64(n * 1000)).UTC()
	case n >= latestSeconds && n < latestMillis:
		return time.UnixMilli(int64(n)).UTC()
	default:
		return time.Time{}
	}
}

// timePointer is time, with nil for the zero time.
func (m members) timePointer(name string) *time.Time {
	if t := m.time(name); !t.IsZero() {
		return &t
	}
	return nil
}

// object returns the members of an object, nil where there is none.
func (m members) object(name string) members {
	found, err := splitObject(m[name])
	if err != nil {
		return nil
	}
	return found
}

// objects returns those items of an array that are objects.
func (m members) objects(name string) []members {
	items, err := splitArray(m[name])
	if err != nil {
		return nil
	}
	return objectsOf(items)
}

func objectsOf(items []json.RawMessage) []members {
	var found []members
	for _, item := range items {
		if object, err := splitObject(item); err == nil {
			found = append(found, object)
		}
	}
	return found
}

// strings returns those members of an object that are strings.
func (m members) strings(name string) map[string]string {
	found := map[string]string{}
	for key, raw := range m.object(name) {
		var s string
		if json.Unmarshal(raw, &s) == nil {
			found[key] = s
		}
	}
	return found
}
