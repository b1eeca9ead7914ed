// Command bench measures what the library does next to other ways to do the same, in one run on one machine: only figures
// from the same run can be compared.
//
//	go run ./cmd/bench upload                      1 GiB through StageFiles, curl -F and a plain TCP copy
//	go run ./cmd/bench upload --size 256MiB --rounds 5
//	go run ./cmd/bench upload --json               one JSON object at the end
//	go run ./cmd/bench wait                        10,000 runs that are waited for, each way; some two hours
//	go run ./cmd/bench wait --runs 200 --ways webhooks,blocking --json
//
// Clients and servers run as processes of their own, so that what they use is theirs. Nothing leaves the machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
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

// benchmarks are the subcommands. Each prints its result and returns a usageError when its own arguments are wrong.
var benchmarks = []struct {
	name, does string
	run        func(ctx context.Context, args []string, stdout, stderr io.Writer) error
}{
	{"upload", "send a large file through StageFiles, curl -F and a plain TCP copy", upload},
	{"wait", "wait for many runs by watcher, webhooks and poll, and by two hand-written ways", wait},
}

// usageError is a command line that is wrong.
type usageError struct{ error }

// run returns the exit code: 0 when something was measured, 1 when it could not be, 2 when the command line is wrong, 130 when
// it was interrupted. Whatever it started has ended when it returns.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	err := dispatch(ctx, args, stdout, stderr)
	var usage usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "bench: %v\n", err)
		return 2
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "bench: interrupted")
		return 130
	default:
		fmt.Fprintf(stderr, "bench: %v\n", err)
		return 1
	}
}

func dispatch(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	names := make([]string, len(benchmarks))
	for i, b := range benchmarks {
		names[i] = b.name
	}
	switch {
	case len(args) == 0:
		return usageError{fmt.Errorf("say what to measure: %s (go run ./cmd/bench --help tells more)", strings.Join(names, ", "))}
	case slices.Contains([]string{"-h", "-help", "--help"}, args[0]):
		fmt.Fprint(stderr, "Measure the library next to other ways to do the same.\n\nUsage: go run ./cmd/bench <what> [flags]\n\n")
		for _, b := range benchmarks {
			fmt.Fprintf(stderr, "  %-8s %s\n", b.name, b.does)
		}
		return flag.ErrHelp
	case !slices.Contains(names, args[0]):
		return usageError{fmt.Errorf("%q cannot be measured: there is %s", args[0], strings.Join(names, ", "))}
	}
	return benchmarks[slices.Index(names, args[0])].run(ctx, args[1:], stdout, stderr)
}
