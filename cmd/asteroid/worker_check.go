package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/worker"
)

// check reports whether Temporal has the namespace and every connection reaches its organization.
// Each problem is one of the errors that are joined.
func (r *workerRun) check(ctx context.Context) error {
	return errors.Join(r.checkTemporal(ctx), worker.Check(ctx, r.plugin))
}

// checkReadiness is check for /readyz. A service that limits the rate of requests is reached.
func (r *workerRun) checkReadiness(ctx context.Context) error {
	return errors.Join(r.checkTemporal(ctx), withoutRateLimits(worker.Check(ctx, r.plugin)))
}

// withoutRateLimits removes those of the joined errors that only say that a service was asked too
// often.
func withoutRateLimits(err error) error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return err
	}
	return errors.Join(slices.DeleteFunc(slices.Clone(joined.Unwrap()), asteroid.IsRateLimited)...)
}

// temporalTimeout bounds a check of Temporal.
const temporalTimeout = 5 * time.Second

func (r *workerRun) checkTemporal(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, temporalTimeout)
	defer cancel()
	address, namespace := r.connected.HostPort, r.connected.Namespace
	_, err := r.client.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: namespace})
	if _, missing := errors.AsType[*serviceerror.NamespaceNotFound](err); missing {
		return fmt.Errorf("Temporal at %s has no namespace %q: create it (temporal operator namespace create -n %s), or give --namespace",
			address, namespace, namespace)
	}
	if _, denied := errors.AsType[*serviceerror.PermissionDenied](err); denied {
		return fmt.Errorf("Temporal at %s refuses access to namespace %q: check the API key or certificate of the profile: %w", address, namespace, err)
	}
	if err != nil {
		return fmt.Errorf("no Temporal service answers at %s: start it, or give --address or --profile: %w", address, err)
	}
	return nil
}

// reportCheck checks once and prints each problem as one line.
func (r *workerRun) reportCheck(ctx context.Context, c *cli) error {
	problems := problemLines(r.check(ctx))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	report := struct {
		OK       bool     `json:"ok"`
		Problems []string `json:"problems"`
	}{len(problems) == 0, append([]string{}, problems...)}
	err := c.print(report, func(out io.Writer) error {
		for _, problem := range problems {
			fmt.Fprintln(out, problem)
		}
		if report.OK {
			fmt.Fprintf(out, "ok: Temporal at %s, namespace %s, connections: %d\n", r.connected.HostPort, r.connected.Namespace, len(r.plugin.Connections))
		}
		return nil
	})
	if err == nil && !report.OK {
		return fmt.Errorf("the check found problems: %d", len(problems))
	}
	return err
}
