package activities

import "context"

// CheckDestinationInput is the input of asteroid.CheckDestination.
type CheckDestinationInput struct {
	// Destination is that of [SaveFilesInput].
	Destination string `json:"destination"`
}

// CheckDestinationResult is the result of asteroid.CheckDestination.
type CheckDestinationResult struct{}

// CheckDestination looks whether this worker takes a destination, so that an agent need not work for hours before SaveFiles
// refuses it. It writes nothing.
//
// Errors: asteroid.InvalidInput.
func (a *Activities) CheckDestination(_ context.Context, in CheckDestinationInput) (*CheckDestinationResult, error) {
	if _, _, err := a.sink(in.Destination); err != nil {
		return nil, invalid("destination", err.Error())
	}
	return &CheckDestinationResult{}, nil
}
