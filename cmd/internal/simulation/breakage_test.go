package simulation

import (
	"testing"

	"pgregory.net/rapid"
)

// breakageSeeds is about a minute's worth of schedules.
const breakageSeeds = 2000

// In a build with something broken, one of the fixed seeds has to break an invariant.
func TestSimulationFindsBreakage(t *testing.T) {
	if breakage == "" {
		t.Skip("nothing is broken in this build: use -tags noadoption, nograce or nodigest")
	}
	schedules := rapid.Custom(drawAgents)
	for seed := range breakageSeeds {
		if violations := runAgents(t, schedules.Example(seed)); len(violations) > 0 {
			t.Logf("seed %d finds %s: %s: %s", seed, breakage, violations[0].kind, violations[0].detail)
			return
		}
	}
	t.Fatalf("%d schedules do not find %s", breakageSeeds, breakage)
}
