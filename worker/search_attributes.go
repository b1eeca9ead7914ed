package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/attributes"
)

// WithStartCheck makes each worker check at its start whether the namespace has the
// SearchAttributes of the options. It logs a warning for those that are missing or have another
// type, and the worker starts: its workflows run without them. c is a client made for the
// namespace. A nil logger is slog's default logger. Without this option, the first agent that a
// worker executes causes the warning.
func WithStartCheck(c client.Client, namespace string, logger log.Logger) PluginOption {
	if logger == nil {
		logger = log.NewStructuredLogger(slog.Default())
	}
	return func(p *plugin) {
		p.startCheck = func(ctx context.Context, wanted asteroid.SearchAttributes) {
			if len(wanted.Names()) == 0 {
				return
			}
			ctx, cancel := context.WithTimeout(ctx, startCheckTimeout)
			defer cancel()
			problem := ""
			if types, err := attributes.List(ctx, c, namespace); err != nil {
				problem = err.Error()
			} else {
				problem = types.Problem(namespace, wanted)
			}
			if problem != "" {
				logger.Warn("Workflows run without some search attributes", "problem", problem)
			}
		}
	}
}

const (
	startCheckTimeout = 5 * time.Second
	ensureTimeout     = time.Minute
	ensureInterval    = 100 * time.Millisecond
)

// EnsureSearchAttributes creates those of the search attributes that the namespace lacks, with the
// type Keyword. It returns when lists of workflows accept them, which takes the server some
// seconds, or after at most a minute. One that exists with another type is an error. A server that
// manages them otherwise, such as Temporal Cloud, refuses to create them: the error names the
// command to run, and workflows run without them meanwhile.
func EnsureSearchAttributes(ctx context.Context, c client.Client, namespace string, wanted asteroid.SearchAttributes) error {
	if err := wanted.Validate(); err != nil {
		return fmt.Errorf("asteroid: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, ensureTimeout)
	defer cancel()
	types, err := attributes.List(ctx, c, namespace)
	if err != nil {
		return fmt.Errorf("asteroid: %w", err)
	}
	existing := wanted.Only(func(name string) bool { _, ok := types[name]; return ok })
	if problem := types.Problem(namespace, existing); problem != "" {
		return fmt.Errorf("asteroid: %s", problem)
	}
	if missing := types.Missing(wanted); len(missing) > 0 {
		if err := addSearchAttributes(ctx, c, namespace, missing); err != nil {
			return fmt.Errorf("asteroid: create search attributes: %w; try: %s", err, attributes.Command(namespace, missing))
		}
	}
	for {
		if err = searchAttributesProblem(ctx, c, namespace, wanted); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("asteroid: %w", err)
		case <-time.After(ensureInterval):
		}
	}
}

// addSearchAttributes creates search attributes. Another process may have created them meanwhile.
func addSearchAttributes(ctx context.Context, c client.Client, namespace string, names []string) error {
	request := &operatorservice.AddSearchAttributesRequest{Namespace: namespace, SearchAttributes: map[string]enums.IndexedValueType{}}
	for _, name := range names {
		request.SearchAttributes[name] = enums.INDEXED_VALUE_TYPE_KEYWORD
	}
	_, err := c.OperatorService().AddSearchAttributes(ctx, request)
	if _, exists := errors.AsType[*serviceerror.AlreadyExists](err); exists {
		return nil
	}
	return err
}

// searchAttributesProblem returns why the search attributes cannot be used yet.
func searchAttributesProblem(ctx context.Context, c client.Client, namespace string, wanted asteroid.SearchAttributes) error {
	types, err := attributes.List(ctx, c, namespace)
	if err != nil {
		return err
	}
	if problem := types.Problem(namespace, wanted); problem != "" {
		return errors.New(problem)
	}
	for _, name := range wanted.Names() {
		request := &workflowservice.CountWorkflowExecutionsRequest{Namespace: namespace, Query: "`" + name + "` IS NULL"}
		if _, err := c.WorkflowService().CountWorkflowExecutions(ctx, request); err != nil {
			return fmt.Errorf("query the search attribute %s: %w", name, err)
		}
	}
	return nil
}
