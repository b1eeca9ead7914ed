// Command chaos runs agents under faults, and checks in the fake API's ledger that each ran once.
// An agent that runs twice files the claim twice, so every intent may leave at most one execution.
//
//	go run ./cmd/chaos                          a hundred workflows in about two minutes
//	go run ./cmd/chaos --runs 1000 --seed 7     more of them, with a plan that can be repeated
//	go run ./cmd/chaos --json                   one JSON object at the end
//	go run -tags noadoption ./cmd/chaos         without adoption: must find duplicates
//
// A Temporal server with a file database and several workers run as child processes. A fake of the
// Asteroid API with faults runs in this process. Requests are lost before or after they are carried
// out, get malformed responses, are carried out late, or are listed late. Workers are killed every
// few seconds, some of them in an activity that seldom runs, and the Temporal server restarts a few
// times. Workflows are cancelled, reset at every stage, retried and continued as new; activities
// are reset, too. Executions are rerun as in the console, and capacity is limited for a while.
// Pages of a gateway, expired keys, odd members and unknown statuses come in the middle of waits.
// All workers of one task queue stop while its watch serves another. People answer questions twice,
// late, and in the console. Webhooks are repeated, reordered, lost and forged. Two workflows save
// the same files to one directory. Batches are paused, reset, cancelled and run again, and some of
// their rows fail at first. Runs wait for permits of limits while the holders are reset or
// terminated, and the limiter, too.
//
// Every kind of trouble is counted when it has happened. A run of a hundred workflows or more fails
// if a kind never did, with exit code 3 if it found nothing else. Otherwise nobody would notice
// that the run has become too tame.
//
// At the end the run checks the ledger, the saved files and all histories, those that a reset has
// replaced included: no workflow task may have failed, the current code must replay each, and none
// may hold the API key. No profile may ever have had more agents at work than its limit allows: a
// permit is exceeded only where the documentation of limits says so, after a holder or the limiter
// was terminated. The results of each batch must have each row once, in order and as the ledger
// has it. Of what is wrong it tells the story, in the order of time.
//
// Everything random comes from the seed. Process scheduling also decides which request meets which
// fault, and which requests a killed worker loses. So the same seed makes the same plan, but not
// the same run.
//
// # Limits of the plan
//
// The API has no idempotency key, so one fault has no remedy: a request is carried out after the
// grace period, when a second one has been sent, and both agents complete before a lookup finds the
// other. The plan stays within the library's guarantees. Ordinary late requests are carried out
// within the grace period. The requests of late intents are carried out long after it, and after
// the second request. They test the sweep at the end of RunAgent, so their agents work long enough
// for the sweep to find the duplicate while it runs.
package main

import (
	"context"
	"io"
	"os"

	"github.com/temporal-asteroid/asteroid/cmd/internal/child"
	"github.com/temporal-asteroid/asteroid/cmd/internal/program"
)

func main() {
	if code, isChild := child.Run(os.Args[1:], childRoles); isChild {
		os.Exit(code)
	}
	program.Main(run)
}

// exitTame is the exit code of a run that found nothing, but missed a kind of trouble.
const exitTame = 3

// run returns the exit code: 1 if the run leaves a finding, exitTame if it only missed a kind of
// trouble, otherwise that of program.ExitCode. Every process that it started has exited by then.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	report, err := runAndReport(ctx, args, stdout, stderr)
	switch {
	case err != nil:
		return program.ExitCode(ctx, "chaos", err, stderr)
	case len(report.findings.all) > 0:
		return 1
	case report.bad():
		return exitTame
	default:
		return 0
	}
}

func runAndReport(ctx context.Context, args []string, stdout, stderr io.Writer) (*report, error) {
	settings, err := parse(args, stderr)
	if err != nil {
		return nil, err
	}
	report, err := runUnderFaults(ctx, settings, stderr)
	if err == nil {
		err = ctx.Err()
	}
	switch {
	case err != nil:
		return nil, err
	case settings.json:
		err = report.printJSON(stdout)
		report.printFindings(stderr)
	default:
		report.print(stdout)
		report.printFindings(stdout)
	}
	return report, err
}
