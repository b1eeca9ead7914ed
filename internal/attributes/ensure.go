package attributes

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	sdkclient "go.temporal.io/sdk/client"
)

// Ensure creates those of the wanted search attributes that the namespace lacks, and returns when
// lists of workflows accept them. One that exists with another type is an error.
func Ensure(ctx context.Context, c sdkclient.Client, namespace string, wanted Types) error {
	types, err := List(ctx, c, namespace)
	if err != nil {
		return err
	}
	existing := maps.Clone(wanted)
	missing := types.missing(wanted)
	maps.DeleteFunc(existing, func(name string, _ enums.IndexedValueType) bool { return missing[name] != 0 })
	if problem := types.Problem(namespace, existing); problem != "" {
		return errors.New(problem)
	}
	if len(missing) > 0 {
		_, err := c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
			Namespace: namespace, SearchAttributes: missing,
		})
		// Another process may create them at the same time.
		if _, exists := errors.AsType[*serviceerror.AlreadyExists](err); err != nil && !exists {
			return fmt.Errorf("create search attributes: %w; try: %s", err, command(namespace, missing))
		}
	}
	return await(ctx, c, namespace, wanted)
}

// interval is the time between two attempts of await.
const interval = 50 * time.Millisecond

// await waits until the search attributes can be used: a server caches for seconds which there are.
func await(ctx context.Context, c sdkclient.Client, namespace string, wanted Types) error {
	for {
		err := usable(ctx, c, namespace, wanted)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w, last error: %w", context.Cause(ctx), err)
		case <-time.After(interval):
		}
	}
}

// usable returns why the search attributes cannot be used yet.
func usable(ctx context.Context, c sdkclient.Client, namespace string, wanted Types) error {
	types, err := List(ctx, c, namespace)
	if err != nil {
		return err
	}
	if problem := types.Problem(namespace, wanted); problem != "" {
		return errors.New(problem)
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		request := &workflowservice.CountWorkflowExecutionsRequest{Namespace: namespace, Query: "`" + name + "` IS NULL"}
		if _, err := c.WorkflowService().CountWorkflowExecutions(ctx, request); err != nil {
			return fmt.Errorf("query the search attribute %s: %w", name, err)
		}
	}
	return nil
}
