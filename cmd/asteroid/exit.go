package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
)

// The exit codes.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitAgentFailed = 4
	exitTimedOut    = 5
	exitInterrupted = 130
)

// exitCodes is the part of the help that documents them.
const exitCodes = `Exit codes:
  0    done
  1    failed
  2    wrong command line or configuration; nothing was sent
  3    no such workflow, execution, agent or file
  4    the agent failed or was cancelled
  5    timed out
  130  interrupted`

// codedError is an error that decides the exit code.
type codedError struct {
	code int
	error
}

func (e codedError) Unwrap() error { return e.error }

func usageErrorf(format string, args ...any) error {
	return codedError{exitUsage, fmt.Errorf(format, args...)}
}

func notFoundErrorf(format string, args ...any) error {
	return codedError{exitNotFound, fmt.Errorf(format, args...)}
}

// exit prints err, if any, as one line and returns the exit code.
func (c *cli) exit(ctx context.Context, err error) int {
	if err == nil {
		return 0
	}
	code := codeOf(ctx, err)
	if code == exitInterrupted {
		err = errors.New("interrupted")
	}
	fmt.Fprintf(c.err, "asteroid: %s\n", strings.Join(strings.Fields(err.Error()), " "))
	return code
}

// codeOf returns the exit code for an error.
func codeOf(ctx context.Context, err error) int {
	if coded, ok := errors.AsType[codedError](err); ok {
		return coded.code
	}
	_, notFound := errors.AsType[*serviceerror.NotFound](err)
	timeout, timedOut := errors.AsType[*temporal.TimeoutError](err)
	switch {
	case ctx.Err() != nil:
		return exitInterrupted
	case notFound || asteroid.IsNotFound(err):
		return exitNotFound
	case asteroid.IsExecutionFailed(err):
		return exitAgentFailed
	case timedOut && timeout != nil || errors.Is(err, context.DeadlineExceeded):
		return exitTimedOut
	}
	return exitFailed
}
