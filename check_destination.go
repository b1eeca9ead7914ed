package asteroid

// CheckDestinationInput is the input of asteroid.CheckDestination. It has no Validate method, since
// each worker accepts other destinations.
type CheckDestinationInput struct {
	// Destination is as in [SaveFilesInput]. It is required.
	Destination string `json:"destination"`
}

// CheckDestinationResult is the result of asteroid.CheckDestination. It is empty: an activity that
// succeeds says that the worker accepts the destination.
type CheckDestinationResult struct{}
