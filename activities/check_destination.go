package activities

import (
	"context"

	"github.com/temporal-asteroid/asteroid"
)

// CheckDestination checks whether this worker accepts a destination. A workflow calls it before the
// agent starts, so that SaveFiles does not refuse the destination hours later. It writes nothing.
//
// Errors: asteroid.InvalidInput.
func (a *Activities) CheckDestination(ctx context.Context, in asteroid.CheckDestinationInput) (*asteroid.CheckDestinationResult, error) {
	if err := in.Validate(); err != nil {
		return nil, err
	}
	if _, _, err := a.destinationStore(ctx, in.Destination); err != nil {
		return nil, asteroid.NewInvalidInput("destination", err.Error())
	}
	return &asteroid.CheckDestinationResult{}, nil
}
