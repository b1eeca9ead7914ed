package main

import (
	"flag"
	"io"
	"time"

	"github.com/temporal-asteroid/asteroid/cmd/internal/program"
)

// waitSettings are the flags of bench wait.
type waitSettings struct {
	runs    int
	ways    []way
	samples int           // runs that are ended, to measure how fast their workflows notice
	spacing time.Duration // mean time between two of these ends
	json    bool

	settle, window, interval time.Duration // as in timing; 0 means the default of the way
}

// defaultSamples is the default of --samples, unless --runs is less.
const defaultSamples = 50

func parseWait(args []string, stderr io.Writer) (waitSettings, error) {
	s := waitSettings{ways: allWays}
	flags := flag.NewFlagSet("bench wait", flag.ContinueOnError)
	flags.IntVar(&s.runs, "runs", 10_000, "keep this `many` runs open at a time")
	flags.Func("ways", "measure these `ways` only (default "+wayNames(allWays)+")", func(text string) (err error) {
		s.ways, err = parseWays(text)
		return err
	})
	flags.DurationVar(&s.settle, "settle", 0, "wait for this `duration` between the start of the last agent and the measurement (default 2m for poll, 1m for watcher and webhooks, 30s for the others)")
	flags.DurationVar(&s.window, "window", 0, "measure the steady state for this `duration` (default 10m for watcher and webhooks, which read each execution once in ten minutes; 2m for the others)")
	flags.IntVar(&s.samples, "samples", defaultSamples, "after the measurement, end this `many` runs and measure how long their workflows take to notice")
	flags.DurationVar(&s.spacing, "spacing", 2*time.Second, "end the samples at random intervals that average this `duration`")
	flags.DurationVar(&s.interval, "interval", 0, "read each execution at intervals of this `duration` in the hand-written ways (default 10s for blocking, 30s for sleep)")
	flags.BoolVar(&s.json, "json", false, "print one JSON object at the end; progress goes to the standard error output")
	if err := program.ParseFlags(flags, args, stderr,
		"Keep many runs open on an embedded Temporal server, each way in turn, and measure what the wait costs."); err != nil {
		return s, err
	}
	if s.runs < 1 || s.runs > 100_000 {
		return s, program.UsageErrorf("--runs %d: give a number from 1 to 100000", s.runs)
	}
	if s.samples == defaultSamples {
		s.samples = min(s.samples, s.runs)
	}
	if s.samples < 1 || s.samples > s.runs {
		return s, program.UsageErrorf("--samples %d: give a number from 1 to --runs", s.samples)
	}
	for name, d := range map[string]time.Duration{"window": s.window, "settle": s.settle, "spacing": s.spacing, "interval": s.interval} {
		if d < 0 {
			return s, program.UsageErrorf("--%s %s: give a duration such as 30s", name, d)
		}
	}
	return s, nil
}
