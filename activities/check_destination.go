package activities

import (
	"context"
	"fmt"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/files"
)

// CheckDestination checks whether SaveFiles of this worker can write to a destination. A workflow
// calls it before the agent starts, so that SaveFiles does not refuse the destination hours later.
// It writes nothing.
//
// Of a file: destination it checks the deepest folder that exists on the way, and whether the
// worker may write there. A store of the worker decides itself what it checks, see
// [asteroid.DestinationChecker].
//
// Errors: asteroid.InvalidInput if the worker does not accept the destination; asteroid.NotFound if
// the place does not exist; asteroid.Unauthorized if the worker may not write there;
// asteroid.Unavailable, retried, if that cannot be found out now.
func (a *Activities) CheckDestination(ctx context.Context, in asteroid.CheckDestinationInput) (*asteroid.CheckDestinationResult, error) {
	if err := in.Validate(); err != nil {
		return nil, err
	}
	store, base, err := a.destinationStore(ctx, in.Destination)
	if err != nil {
		return nil, asteroid.NewInvalidInput("destination", err.Error())
	}
	if checker, ok := store.(asteroid.DestinationChecker); ok {
		checkCtx, cancel := context.WithTimeoutCause(ctx, a.timeout, fmt.Errorf("no answer within %s", a.timeout))
		defer cancel()
		if err := checker.CheckDestination(checkCtx, base); err != nil {
			return nil, transferError(ctx, "destination", asteroid.ErrorDetails{Field: "destination"},
				files.StoreError(files.RedactURL(base), err))
		}
	}
	return &asteroid.CheckDestinationResult{}, nil
}
