// Command demo shows the whole way in one go: files are staged, an agent works on them, a second agent starts from its
// execution id and result, and the Temporal web UI tells the story. It brings everything along: a Temporal server with its
// web UI, a fake of the Asteroid API, and a worker, all in this process and on the loopback interface.
//
//	go run ./cmd/demo                                    over the sample files
//	go run ./cmd/demo --keep                             and leave everything running, to look around
//	go run ./cmd/demo --file claims.csv --agent totals   over your own
//	go run ./cmd/demo --live --agent ID --file form.pdf  with the real service, its key in ASTEROID_API_KEY
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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run returns the exit code: 0 when the agents did their work, 1 when something failed, 2 when the command line is wrong,
// 130 when it was interrupted before the end. Whatever it started has ended when it returns.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	settings, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "demo: %v\n", err)
		return 2
	}
	switch err := demonstrate(ctx, settings, stdout, stderr); {
	case err == nil:
		return 0
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "demo: interrupted")
		return 130
	default:
		fmt.Fprintf(stderr, "demo: %v\n", err)
		return 1
	}
}
