package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/text"
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
	if _, said := errors.AsType[codedError](err); code == exitInterrupted && !said {
		err = errors.New("interrupted")
	}
	const limit = 2000 // in bytes
	fmt.Fprintf(c.err, "asteroid: %s\n", text.Line(message(err), limit))
	return code
}

// message returns the text of an error without what Temporal's wrappers add to it.
func message(err error) string {
	said := err.Error()
	if failed, ok := errors.AsType[*temporal.WorkflowExecutionError](err); ok {
		said = strings.Replace(said, failed.Error(), ended(failed.Unwrap()), 1)
	}
	if failed, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		said = strings.Replace(said, failed.Error(), failed.Message(), 1)
	}
	return said
}

// ended says how a workflow ended that has no result.
func ended(cause error) string {
	_, cancelled := errors.AsType[*temporal.CanceledError](cause)
	_, terminated := errors.AsType[*temporal.TerminatedError](cause)
	_, timedOut := errors.AsType[*temporal.TimeoutError](cause)
	switch {
	case cancelled:
		return "the workflow was cancelled"
	case terminated:
		return "the workflow was terminated: its agents may go on, see their pages"
	case timedOut:
		return "the workflow timed out: its agents may go on, see their pages"
	case cause == nil:
		return "the workflow failed"
	}
	return cause.Error()
}

// codeOf returns the exit code for an error.
func codeOf(ctx context.Context, err error) int {
	if coded, ok := errors.AsType[codedError](err); ok {
		return coded.code
	}
	_, notFound := errors.AsType[*serviceerror.NotFound](err)
	_, cancelled := errors.AsType[*temporal.CanceledError](err)
	_, timedOut := errors.AsType[*temporal.TimeoutError](err)
	switch {
	case ctx.Err() != nil:
		return exitInterrupted
	case asteroid.IsInvalidInput(err) && !isOutdated(err):
		return exitUsage
	case notFound || asteroid.IsNotFound(err):
		return exitNotFound
	case cancelled || asteroid.IsExecutionFailed(err) || asteroid.IsExecutionCancelled(err) || asteroid.IsUnknownStatus(err):
		return exitAgentFailed
	case timedOut || asteroid.IsExecutionTimedOut(err) || errors.Is(err, context.DeadlineExceeded):
		return exitTimedOut
	}
	return exitFailed
}

// isOutdated reports whether an input was right when it was made: the agent has gone on since.
func isOutdated(err error) bool {
	details, _ := asteroid.DetailsOf(err)
	return details.Field == "asking" || details.Field == "executionId"
}
