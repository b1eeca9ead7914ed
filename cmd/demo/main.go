// Command demo runs two agents in one workflow: it stages files for the first, and the second
// starts from the execution id and the result of the first. The Temporal web UI shows every step.
// A fake of the Asteroid API and a worker run in this process, on the loopback interface.
//
//	go run ./cmd/demo                                    with the sample files
//	go run ./cmd/demo --keep                             until Ctrl-C, with an agent that asks
//	go run ./cmd/demo --file claims.csv --agent totals   with your own file
//	go run ./cmd/demo --live --agent ID --file form.pdf  with the real API and ASTEROID_API_KEY
//	go run ./cmd/demo --address localhost:7233           with your own Temporal server
//
// Without --address it starts a Temporal server: that of the temporal command on the PATH, or else
// cmd/devserver, which it compiles on the first use.
package main

import (
	"context"
	"io"

	"github.com/temporal-asteroid/asteroid/cmd/internal/program"
)

func main() { program.Main(run) }

// run returns the exit code of program.ExitCode. Everything that it started has stopped by then.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	settings, err := parse(args, stderr)
	if err == nil {
		err = runDemo(ctx, settings, stdout, stderr)
	}
	return program.ExitCode(ctx, "demo", err, stderr)
}
