package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
)

// settings are what the command line asks for.
type settings struct {
	runs        int
	seed        uint64
	workers     int
	concurrency int
	logs        string
	json        bool
}

func parse(args []string, stderr io.Writer) (settings, error) {
	// A seed is short enough to be typed, and survives JSON readers that know floating-point numbers only.
	s := settings{seed: uint64(rand.Uint32())} //nolint:gosec // it is no secret
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // one line says what is wrong; the whole usage would bury it
	flags.IntVar(&s.runs, "runs", 100, "start so `many` workflows, each of which runs one agent")
	flags.Uint64Var(&s.seed, "seed", s.seed, "draw faults, kills and cancellations from this `number` (default: a random one, which is printed)")
	flags.IntVar(&s.workers, "workers", 3, "keep so `many` worker processes")
	flags.IntVar(&s.concurrency, "concurrency", 40, "have so `many` workflows open at a time")
	flags.StringVar(&s.logs, "logs", "", "keep the logs of the processes and the Temporal server's database in this `directory`")
	flags.BoolVar(&s.json, "json", false, "print one JSON object at the end; what was found wrong goes to the standard error output")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(stderr, "Run agents under faults and count whether each ran once.\n\nUsage: go run ./cmd/chaos [flags]\n\n")
			flags.SetOutput(stderr)
			flags.PrintDefaults()
			return s, err
		}
		return s, fmt.Errorf("%w (go run ./cmd/chaos --help lists the flags)", err)
	}
	if flags.NArg() > 0 {
		return s, fmt.Errorf("%q is no flag (go run ./cmd/chaos --help lists them)", flags.Arg(0))
	}
	return s, s.check()
}

func (s *settings) check() error {
	for _, bound := range []struct {
		flag        string
		value, most int
	}{{"runs", s.runs, 100_000}, {"workers", s.workers, 32}, {"concurrency", s.concurrency, 1000}} {
		if bound.value < 1 || bound.value > bound.most {
			return fmt.Errorf("--%s %d: give a number from 1 to %d", bound.flag, bound.value, bound.most)
		}
	}
	if s.logs != "" {
		if info, err := os.Stat(s.logs); err != nil || !info.IsDir() {
			return fmt.Errorf("--logs %s: no such directory; create it first", s.logs)
		}
	}
	return nil
}
