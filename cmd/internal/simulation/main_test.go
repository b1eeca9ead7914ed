package simulation

import (
	"flag"
	"os"
	"testing"
)

// TestMain sets how many schedules a plain run draws, and their seed: the same each time, so that a
// change fails by itself only. A run that names the number or the seed draws others.
func TestMain(m *testing.M) {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "rapid.checks" || f.Name == "rapid.seed" })
	if !chosen {
		for name, value := range map[string]string{"rapid.checks": "500", "rapid.seed": "1"} {
			if err := flag.Set(name, value); err != nil {
				panic(err)
			}
		}
	}
	os.Exit(m.Run())
}
