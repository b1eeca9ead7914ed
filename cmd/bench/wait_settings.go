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
	samples int
	spacing time.Duration
	json    bool

	window, settle, interval time.Duration // 0: the default of each way
}

// defaultSamples is the default of --samples. With fewer runs, all of them are sampled.
const defaultSamples = 50

func parseWait(args []string, stderr io.Writer) (waitSettings, error) {
	s := waitSettings{ways: allWays}
	flags := flag.NewFlagSet("bench wait", flag.ContinueOnError)
	flags.IntVar(&s.runs, "runs", 10_000, "keep this `many` runs open at a time")
	flags.Func("ways", "measure these `ways` only (default "+wayNames(allWays)+")", func(text string) (err error) {
		s.ways, err = parseWays(text)
		return err
	})
	flags.DurationVar(&s.window, "window", 0, "measure the steady state for this `duration` (default 10m for watcher and webhooks, which read each run once in ten minutes; 2m for the others)")
	flags.DurationVar(&s.settle, "settle", 0, "once all runs are open, let their first reads pass for this `duration` (default 2m for poll, 1m for watcher and webhooks, 30s for the others)")
	flags.IntVar(&s.samples, "samples", defaultSamples, "then end this `many` runs, to measure how long their workflows take to notice")
	flags.DurationVar(&s.spacing, "spacing", 2*time.Second, "end them one after another, at random intervals that average this `duration`")
	flags.DurationVar(&s.interval, "interval", 0, "the hand-written ways read each execution at this interval (default 10s for blocking, 30s for sleep)")
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
