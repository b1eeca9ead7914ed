// Command demo runs two agents in one workflow: it stages files for the first, and the second
// starts from the execution id and the result of the first. The Temporal web UI shows every step.
// A fake of the Asteroid API and a worker run in this process, on the loopback interface.
//
//	go run ./cmd/demo                                    with the sample files
//	go run ./cmd/demo --keep                             until Ctrl-C, with an agent that asks
//	go run ./cmd/demo --batch                            with an agent for each row of a CSV file
//	go run ./cmd/demo --file claims.csv --agent totals   with your own file
//	go run ./cmd/demo --live --agent ID --file form.pdf  with the real API and ASTEROID_API_KEY
//	go run ./cmd/demo --address localhost:7233           with your own Temporal server
//
// Without --address it starts a Temporal server: that of the temporal command on the PATH, or else
// cmd/devserver, which it compiles on the first use.
//
// This package only compiles the demo proper, in the directory app, with a live count, and runs it.
// go run itself would compile it in silence.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"

	"github.com/temporal-asteroid/asteroid/cmd/internal/child"
	"github.com/temporal-asteroid/asteroid/cmd/internal/compile"
	"github.com/temporal-asteroid/asteroid/cmd/internal/program"
	"github.com/temporal-asteroid/asteroid/cmd/internal/progress"
)

func main() { program.Main(run) }

// run returns the exit code of the demo, which has stopped by then.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	display := progress.New(stderr)
	path, err := compile.Program(ctx, compile.Target{
		Directory: "demo/app", What: "the demo", Otherwise: "run it in a clone of the repository, with Go",
	}, display)
	display.Stop()
	code := 0
	if err == nil {
		code, err = runDemo(ctx, path, args, stdout, stderr)
	}
	if err != nil {
		return program.ExitCode(ctx, "demo", err, stderr)
	}
	return code
}

// runDemo runs the demo at this path until it exits. A cancelled context interrupts it.
func runDemo(ctx context.Context, path string, args []string, stdout, stderr io.Writer) (code int, err error) {
	lifeline, err := child.NewLifeline(path)
	if err != nil {
		return 0, err
	}
	defer lifeline.Kill()
	command, err := lifeline.Command(nil, args...)
	if err != nil {
		return 0, err
	}
	command.Stdout, command.Stderr = stdout, stderr
	defer context.AfterFunc(ctx, lifeline.Interrupt)()
	err = command.Run()
	if exited, ok := errors.AsType[*exec.ExitError](err); ok {
		return exited.ExitCode(), nil
	}
	if err != nil {
		return 0, fmt.Errorf("run the demo: %w", err)
	}
	return 0, nil
}
