package main

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
)

// startActivity starts a standalone activity on a worker of the options' task queue. It fails if
// none polls it, or if the server has no standalone activities: then alternative, if not empty,
// ends the advice of the error.
func (s *service) startActivity(ctx context.Context, options client.StartActivityOptions, activity string, in any, alternative string) (client.ActivityHandle, error) {
	if polled, err := s.polled(ctx, options.TaskQueue); err == nil && !polled {
		return nil, noWorker(options.TaskQueue)
	}
	handle, err := s.ExecuteActivity(ctx, options, activity, in)
	if _, absent := errors.AsType[*serviceerror.Unimplemented](err); absent {
		return nil, fmt.Errorf("Temporal at %s has no standalone activities: update the server%s", s.address, alternative)
	}
	if err != nil {
		return nil, s.failure(err, "")
	}
	return handle, nil
}
