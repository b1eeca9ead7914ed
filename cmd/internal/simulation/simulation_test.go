package simulation

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// check runs schedules as drawn, and shrinks one that breaks an invariant.
func check[Schedule any](t *testing.T, draw func(*rapid.T) Schedule, run func(*testing.T, Schedule) []string) {
	t.Helper()
	began, n := time.Now(), 0
	rapid.Check(t, func(rt *rapid.T) {
		s := draw(rt)
		n++
		if violations := run(t, s); len(violations) > 0 {
			text, _ := json.MarshalIndent(s, "", "\t")
			rt.Fatalf("%s\nin this schedule:\n%s", strings.Join(violations, "\n"), text)
		}
	})
	t.Logf("%d schedules, %.0f a minute", n, float64(n)/time.Since(began).Minutes())
}

// load reads a saved schedule.
func load[Schedule any](t *testing.T, path string) (s Schedule) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}
