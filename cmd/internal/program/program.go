// Package program holds what the programs below cmd share: signals, flags, exit codes and waiting.
package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/temporal-asteroid/asteroid/cmd/internal/child"
)

// Main calls run with a context that an interrupt or SIGTERM cancels, and exits with its code. A
// second signal, a second later, ends the process without waiting for run. A
// process that was started as a supervisor of package child is that instead.
func Main(run func(ctx context.Context, args []string, stdout, stderr io.Writer) int) {
	if code, isSupervisor := child.Supervise(os.Args[1:]); isSupervisor {
		os.Exit(code)
	}
	ctx, stop := signal.NotifyContext(untilGoRunExits(), os.Interrupt, syscall.SIGTERM)
	// A later signal ends the process at once. Some senders repeat theirs without delay.
	context.AfterFunc(ctx, func() { time.AfterFunc(time.Second, stop) })
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// untilGoRunExits returns a context that is cancelled if go run started this process and was
// killed, for example by SIGTERM, which it does not pass on.
func untilGoRunExits() context.Context {
	executable, err := os.Executable()
	cache := os.Getenv("GOCACHE")
	if err != nil || !strings.Contains(executable, "go-build") && (cache == "" || !strings.HasPrefix(executable, cache)) {
		return context.Background()
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		for parent := os.Getppid(); os.Getppid() == parent; {
			time.Sleep(time.Second)
		}
		cancel()
	}()
	return ctx
}

// usageError reports a wrong command line.
type usageError struct{ error }

// UsageErrorf returns an error for which ExitCode returns 2.
func UsageErrorf(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// ExitCode prints err as one line after the program's name, unless it is nil or --help, and returns
// the exit code: 0 for these, 2 for a wrong command line, 130 if ctx is cancelled, and 1 for any
// other error.
func ExitCode(ctx context.Context, name string, err error, stderr io.Writer) int {
	code := 1
	switch _, usage := errors.AsType[usageError](err); {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case usage:
		code = 2
	case ctx.Err() != nil:
		code, err = 130, errors.New("interrupted")
	}
	fmt.Fprintf(stderr, "%s: %v\n", name, err)
	return code
}

// ParseFlags parses args, which must hold only flags. flags.Name() is the command's path below
// ./cmd, such as "bench wait". For --help it prints summary and the flags, and returns
// flag.ErrHelp.
func ParseFlags(flags *flag.FlagSet, args []string, stderr io.Writer, summary string) error {
	flags.SetOutput(io.Discard) // the whole usage would bury the line that names the mistake
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(stderr, "%s\n\nUsage: go run ./cmd/%s [flags]\n\n", summary, flags.Name())
		flags.SetOutput(stderr)
		flags.PrintDefaults()
		return err
	case err != nil:
		return UsageErrorf("%w (go run ./cmd/%s --help lists the flags)", err, flags.Name())
	case flags.NArg() > 0:
		return UsageErrorf("unexpected argument %q: every option is a flag (go run ./cmd/%s --help lists them)", flags.Arg(0), flags.Name())
	}
	return nil
}

// Sleep waits for d. It returns false if ctx is cancelled first.
func Sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
