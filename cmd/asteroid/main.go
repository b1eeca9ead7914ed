// Command asteroid runs Asteroid agents through Temporal: the worker that serves them, and the
// commands of those who start, watch and answer them.
//
//	asteroid --help
//
// It connects to Temporal as the temporal CLI does: by the profile of the configuration file, the
// variables TEMPORAL_*, and the flags --address and --namespace, in rising order of precedence.
package main

import (
	"context"
	"io"
	"os"

	"github.com/temporal-asteroid/asteroid/cmd/internal/program"
)

func main() {
	program.Main(func(ctx context.Context, args []string, stdout, stderr io.Writer) int {
		return run(ctx, args, os.Stdin, stdout, stderr)
	})
}

// run executes a command line and returns the exit code, as exitCodes documents it.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	c := &cli{in: stdin, out: stdout, err: stderr}
	root := newRootCommand(c)
	root.SetArgs(args)
	return c.exit(ctx, root.ExecuteContext(ctx))
}
