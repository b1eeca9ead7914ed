package activities

import (
	"context"

	"github.com/temporal-asteroid/asteroid"
)

// CheckDestination looks whether this worker takes a destination, so that an agent need not work for hours before SaveFiles
// refuses it. It writes nothing.
//
// Errors: asteroid.InvalidInput.
func (a *Activities) CheckDestination(_ context.Context, in asteroid.CheckDestinationInput) (*asteroid.CheckDestinationResult, error) {
	if _, _, err := a.sink(in.Destination); err != nil {
		return nil, asteroid.NewInvalidInput("destination", err.Error())
	}
	return &asteroid.CheckDestinationResult{}, nil
}
