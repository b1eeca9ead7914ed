package simulation

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// check runs schedules as drawn, and shrinks one that breaks an invariant.
func check[Schedule any](t *testing.T, draw func(*rapid.T) Schedule, run func(*testing.T, Schedule) []violation) {
	t.Helper()
	skipIfBroken(t)
	began, n := time.Now(), 0
	rapid.Check(t, func(rt *rapid.T) {
		s := draw(rt)
		n++
		violations := []violation{{kind: "something blocks for ever"}} // then run panics
		defer func() {
			if len(violations) > 0 {
				text, _ := json.Marshal(s)
				rt.Logf("schedule: %s", text)
				for _, v := range violations {
					rt.Logf("%s: %s", v.kind, v.detail)
				}
			}
		}()
		if violations = run(t, s); len(violations) > 0 {
			rt.Fatal(violations[0].kind) // a text that differs between runs would prevent shrinking
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

// TestSimulationSaved runs saved schedules. Each has broken an invariant once.
func TestSimulationSaved(t *testing.T) {
	t.Parallel()
	skipIfBroken(t)
	runSaved(t, "agents", runAgents)
	runSaved(t, "messages", runMessages)
	runSaved(t, "files", runFiles)
}

// runSaved runs the saved schedules of one kind.
func runSaved[Schedule any](t *testing.T, kind string, run func(*testing.T, Schedule) []violation) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", kind, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		t.Run(kind+"/"+strings.TrimSuffix(filepath.Base(path), ".json"), func(t *testing.T) {
			for _, v := range run(t, load[Schedule](t, path)) {
				t.Errorf("%s: %s", v.kind, v.detail)
			}
		})
	}
}

func skipIfBroken(t *testing.T) {
	t.Helper()
	if breakage != "" {
		t.Skip("this build has something broken on purpose: " + breakage)
	}
}
