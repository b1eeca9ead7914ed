package main

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"

	"github.com/temporal-asteroid/asteroid/cmd/internal/program"
)

// settings are the flags.
type settings struct {
	runs        int
	seed        uint64
	workers     int
	concurrency int
	rows        int
	logs        string
	json        bool
}

func parse(args []string, stderr io.Writer) (settings, error) {
	// 32 bits are short enough to type, and exact in JSON readers that use floating-point numbers.
	s := settings{seed: uint64(rand.Uint32())} //nolint:gosec // not a secret
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	flags.IntVar(&s.runs, "runs", 100, "start this `many` workflows; each runs one agent")
	flags.Uint64Var(&s.seed, "seed", s.seed, "draw faults, kills and cancellations from this `number` (default: random, and printed)")
	flags.IntVar(&s.workers, "workers", 3, "run this `many` worker processes")
	flags.IntVar(&s.concurrency, "concurrency", 40, "keep this `many` workflows open at a time")
	flags.IntVar(&s.rows, "rows", 0, "also run one batch of this `many` rows, each an agent (default none)")
	flags.StringVar(&s.logs, "logs", "", "keep the logs of the processes and the Temporal server's database in this `directory`")
	flags.BoolVar(&s.json, "json", false, "print one JSON object at the end; findings go to the standard error output")
	if err := program.ParseFlags(flags, args, stderr, "Run agents under faults and check that each ran once."); err != nil {
		return s, err
	}
	return s, s.check()
}

// String returns the flags that make the same plan.
func (s settings) String() string {
	flags := fmt.Sprintf("--runs %d --seed %d --workers %d --concurrency %d", s.runs, s.seed, s.workers, s.concurrency)
	if s.rows > 0 {
		flags += fmt.Sprintf(" --rows %d", s.rows)
	}
	return flags
}

func (s *settings) check() error {
	for _, bound := range []struct {
		flag               string
		value, least, most int
	}{{"runs", s.runs, 1, 100_000}, {"workers", s.workers, 1, 32}, {"concurrency", s.concurrency, 1, 1000}, {"rows", s.rows, 0, 100_000}} {
		if bound.value < bound.least || bound.value > bound.most {
			return program.UsageErrorf("--%s %d: give a number from %d to %d", bound.flag, bound.value, bound.least, bound.most)
		}
	}
	if s.logs != "" {
		if info, err := os.Stat(s.logs); err != nil || !info.IsDir() {
			return program.UsageErrorf("--logs %s: no such directory; create it first", s.logs)
		}
	}
	return nil
}
