// Command bench compares the library with other ways to do the same job, in one run on one
// machine. Figures from different runs cannot be compared.
//
//	go run ./cmd/bench upload                      1 GiB through StageFiles, curl -F and plain TCP
//	go run ./cmd/bench upload --size 256MiB --rounds 5
//	go run ./cmd/bench upload --json               one JSON object at the end
//	go run ./cmd/bench files                       10,000 small files: send, list, save, send on
//	go run ./cmd/bench batch                       10,000 rows through Batch and as bare children
//	go run ./cmd/bench limits                      1,000 runs and 10 that wait for one limit
//	go run ./cmd/bench wait                        10,000 open runs each way; one to two hours
//	go run ./cmd/bench wait --runs 200 --ways webhooks,blocking --json
//
// Each client and server is a process of its own, so that its CPU and memory are measured apart.
// Nothing leaves the machine.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/temporal-asteroid/asteroid/cmd/internal/child"
	"github.com/temporal-asteroid/asteroid/cmd/internal/program"
)

func main() {
	if code, isChild := child.Run(os.Args[1:], childRoles); isChild {
		os.Exit(code)
	}
	program.Main(run)
}

// benchmarks are the subcommands. Each prints its result.
var benchmarks = []struct {
	name, description string
	run               func(ctx context.Context, args []string, stdout, stderr io.Writer) error
}{
	{"upload", "send a large file through StageFiles, curl -F and a plain TCP copy", upload},
	{"files", "send, list, save and hand over many small files through the activities and with plain code", files},
	{"batch", "run many rows through asteroid.Batch and as bare child workflows under a hand-written window", batch},
	{"limits", "let many runs of one tenant and few of another wait for a limit, and measure who is next and when", limits},
	{"wait", "wait for many runs by watch, by webhooks, by polling and in two hand-written ways", wait},
}

// run returns the exit code of program.ExitCode. Every process that it started has exited by then.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return program.ExitCode(ctx, "bench", dispatch(ctx, args, stdout, stderr), stderr)
}

func dispatch(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	names := make([]string, len(benchmarks))
	for i, b := range benchmarks {
		names[i] = b.name
	}
	switch {
	case len(args) == 0:
		return program.UsageErrorf("name a benchmark: %s (see go run ./cmd/bench --help)", strings.Join(names, ", "))
	case slices.Contains([]string{"-h", "-help", "--help"}, args[0]):
		fmt.Fprint(stderr, "Compare the library with other ways to do the same job.\n\nUsage: go run ./cmd/bench <benchmark> [flags]\n\n")
		for _, b := range benchmarks {
			fmt.Fprintf(stderr, "  %-8s %s\n", b.name, b.description)
		}
		return flag.ErrHelp
	case !slices.Contains(names, args[0]):
		return program.UsageErrorf("unknown benchmark %q: name one of %s", args[0], strings.Join(names, ", "))
	}
	return benchmarks[slices.Index(names, args[0])].run(ctx, args[1:], stdout, stderr)
}
