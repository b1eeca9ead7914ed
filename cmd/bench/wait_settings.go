package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"time"
)

// waitSettings are what the command line of bench wait asks for.
type waitSettings struct {
	runs    int
	ways    []way
	samples int
	spacing time.Duration
	json    bool

	window, settle, interval time.Duration // 0: as the way needs it
}

func parseWait(args []string, stderr io.Writer) (waitSettings, error) {
	s := waitSettings{ways: allWays}
	flags := flag.NewFlagSet("wait", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // one line says what is wrong; the whole usage would bury it
	flags.IntVar(&s.runs, "runs", 10_000, "wait for so `many` runs at a time")
	flags.Func("ways", "measure these `ways` only (default "+wayNames(allWays)+")", func(text string) (err error) {
		s.ways, err = parseWays(text)
		return err
	})
	flags.DurationVar(&s.window, "window", 0, "measure the steady state for so long (default 10m for watcher and webhooks, as each run is read once in ten minutes; 2m for the others)")
	flags.DurationVar(&s.settle, "settle", 0, "let the first reads pass for so long, once all runs are parked (default 2m for poll, 1m for watcher and webhooks, 30s for the others)")
	flags.IntVar(&s.samples, "samples", 50, "then end so `many` runs, to see how long their workflows take to hear of it")
	flags.DurationVar(&s.spacing, "spacing", 2*time.Second, "end one after the other, at random, this far apart on average")
	flags.DurationVar(&s.interval, "interval", 0, "the hand-written ways read each execution so often (default 10s for blocking, 30s for sleep)")
	flags.BoolVar(&s.json, "json", false, "print one JSON object at the end; progress goes to the standard error output")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(stderr, "Park many runs on an embedded Temporal server, each way in turn, and measure what the wait costs.\n\nUsage: go run ./cmd/bench wait [flags]\n\n")
			flags.SetOutput(stderr)
			flags.PrintDefaults()
			return s, err
		}
		return s, usageError{fmt.Errorf("%w (go run ./cmd/bench wait --help lists the flags)", err)}
	}
	switch {
	case flags.NArg() > 0:
		return s, usageError{fmt.Errorf("%q is no flag (go run ./cmd/bench wait --help lists them)", flags.Arg(0))}
	case s.runs < 1 || s.runs > 100_000:
		return s, usageError{fmt.Errorf("--runs %d: give a number from 1 to 100000", s.runs)}
	case s.samples < 1 || s.samples > s.runs:
		if s.samples == 50 && s.runs < 50 {
			s.samples = s.runs
			break
		}
		return s, usageError{fmt.Errorf("--samples %d: give a number from 1 to that of the runs", s.samples)}
	}
	for name, d := range map[string]time.Duration{"window": s.window, "settle": s.settle, "spacing": s.spacing, "interval": s.interval} {
		if d < 0 {
			return s, usageError{fmt.Errorf("--%s %s: give a duration such as 30s", name, d)}
		}
	}
	return s, nil
}
