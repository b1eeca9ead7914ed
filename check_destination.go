package asteroid

// CheckDestinationInput is the input of asteroid.CheckDestination.
type CheckDestinationInput struct {
	// Destination is that of [SaveFilesInput].
	Destination string `json:"destination"`
}

// CheckDestinationResult is the result of asteroid.CheckDestination.
type CheckDestinationResult struct{}
