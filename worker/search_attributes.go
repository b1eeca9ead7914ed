package worker

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/attributes"
)

// WithStartCheck makes each worker check at its start whether the namespace has the
// SearchAttributes of the options. The worker logs a warning for those that are missing or have
// another type, and starts: its workflows run without them. c is a client made for the namespace. A
// nil logger is slog's default logger. Without this option, the warning comes with the first agent
// that a worker executes.
func WithStartCheck(c client.Client, namespace string, logger log.Logger) PluginOption {
	if logger == nil {
		logger = log.NewStructuredLogger(slog.Default())
	}
	return func(p *plugin) {
		p.startCheck = func(ctx context.Context, wanted asteroid.SearchAttributes) {
			if problem := startProblem(ctx, c, namespace, wanted); problem != "" {
				logger.Warn("Workflows run without some search attributes", "problem", problem)
			}
		}
	}
}

const (
	startCheckTimeout = 5 * time.Second
	ensureTimeout     = time.Minute
)

// startProblem returns what WithStartCheck warns of, or nothing.
func startProblem(ctx context.Context, c client.Client, namespace string, wanted asteroid.SearchAttributes) string {
	if len(wanted.Names()) == 0 {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, startCheckTimeout)
	defer cancel()
	types, err := attributes.List(ctx, c, namespace)
	if err != nil {
		return err.Error()
	}
	return types.Problem(namespace, attributes.Keywords(wanted))
}

// EnsureSearchAttributes creates those of the search attributes that the namespace lacks, with the
// type Keyword. It returns when lists of workflows accept them, which takes the server some
// seconds, or after at most a minute. One that exists with another type is an error. A server that
// manages them otherwise, such as Temporal Cloud, refuses to create them: the error names the
// command to run, and workflows run without them meanwhile.
func EnsureSearchAttributes(ctx context.Context, c client.Client, namespace string, wanted asteroid.SearchAttributes) error {
	err := wanted.Validate()
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, ensureTimeout)
		defer cancel()
		err = attributes.Ensure(ctx, c, namespace, attributes.Keywords(wanted))
	}
	if err != nil {
		return fmt.Errorf("asteroid: %w", err)
	}
	return nil
}
