// Command chaos runs agents while everything around them breaks, and counts from the API's own books what came of it: an
// agent that runs twice files the claim twice, so of every intent at most one execution may be left.
//
//	go run ./cmd/chaos                          a hundred runs, which take about a minute
//	go run ./cmd/chaos --runs 1000 --seed 7     more of them, and a run that can be repeated
//	go run ./cmd/chaos --json                   one JSON object at the end
//	go run -tags noadoption ./cmd/chaos         with adoption off: must find duplicates
//
// A Temporal server with a file database and several workers run as processes of their own; a fake of the Asteroid API with
// faults runs in this one. Requests are lost before and after they are carried out, answered with nonsense, carried out
// late, and listed late. Workers are killed every few seconds and the Temporal server now and then; workflows are
// cancelled, executions are run again as a person would in the console, and for a while there is no capacity.
//
// Everything random comes from the seed. Which request meets which fault, or is under way when a worker is killed, also
// depends on how processes are scheduled: the same seed makes the same plan, not the same run.
//
// # What the plan does not do
//
// The API has no idempotency key, so there are faults that nobody can heal: a request that is carried out later than the
// grace period, so that a second one has been sent, while both agents work through to the end before anybody sees the other.
// The plan keeps within what the library promises. Ordinary late requests are carried out within the grace period. Those
// of the late intents come long after it, and after the second request; they are there for the sweep at the end of
// RunAgent, so their agents work long enough for it to find the duplicate at work.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if code, child := runChild(os.Args[1:]); child {
		os.Exit(code)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run returns the exit code: 0 when every intent was carried out once, 1 when an alive duplicate, a lost or a stuck run was
// found or the run could not be made, 2 when the command line is wrong, 130 when it was interrupted. Whatever it started
// has ended when it returns.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	settings, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "chaos: %v\n", err)
		return 2
	}
	report, err := faultRun(ctx, settings, stderr)
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "chaos: interrupted")
		return 130
	case err != nil:
		fmt.Fprintf(stderr, "chaos: %v\n", err)
		return 1
	}
	if settings.json {
		err = report.printJSON(stdout)
		report.printFindings(stderr)
	} else {
		report.print(stdout)
		report.printFindings(stdout)
	}
	if err != nil || report.bad() {
		return 1
	}
	return 0
}
