package worker

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// eventTimeLayouts are the forms of an event's time besides HTTP's and numbers. Each takes a
// fraction of a second. A time without a zone is UTC.
var eventTimeLayouts = []string{
	time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07", "2006-01-02T15:04:05",
	"Mon, 2 Jan 2006 15:04:05 -0700", "Mon, 2 Jan 2006 15:04:05 UTC",
}

// parseEventTime reads the time of an event, a JSON value. It returns false if it has no form that
// is documented at WebhookOptions.MaxAge.
func parseEventTime(raw json.RawMessage) (time.Time, bool) {
	text := string(raw)
	if json.Unmarshal(raw, &text) == nil {
		text = strings.TrimSpace(text)
	}
	if at, ok := parseUnixTime(text); ok {
		return at, true
	}
	if at, err := http.ParseTime(text); err == nil {
		return at, true
	}
	iso := text
	if len(text) > 10 && strings.ContainsRune("Tt ", rune(text[10])) {
		iso = strings.ToUpper(text[:10] + "T" + text[11:])
		iso = strings.ReplaceAll(strings.TrimSuffix(iso, " UTC"), " ", "") // "12:00:00 +0100"
	}
	for _, layout := range eventTimeLayouts {
		for _, form := range []string{iso, text} {
			if at, err := time.Parse(layout, form); err == nil {
				return at, true
			}
		}
	}
	return time.Time{}, false
}

// parseUnixTime reads a number as the time since 1970. Its unit follows from its size: in each unit
// the times from 1973 to 5138 have sizes of their own.
func parseUnixTime(text string) (time.Time, bool) {
	number, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return time.Time{}, false
	}
	for _, unit := range []time.Duration{time.Second, time.Millisecond, time.Microsecond, time.Nanosecond} {
		perSecond := float64(time.Second / unit)
		if seconds := number / perSecond; seconds >= 1e8 && seconds < 1e11 {
			whole, fraction := math.Modf(seconds)
			return time.Unix(int64(whole), int64(fraction*1e9)), true
		}
	}
	return time.Time{}, false
}
