// Command app is the demo, which go run ./cmd/demo compiles and runs.
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
