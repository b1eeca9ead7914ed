package asteroid

// CheckDestinationInput is the input of asteroid.CheckDestination.
type CheckDestinationInput struct {
	// Destination is as in [SaveFilesInput]. It is required.
	Destination string `json:"destination"`

	decoded *decodedInput
}

// Validate checks the form of the input. Its error is asteroid.InvalidInput and names the field.
// Only the activity checks Destination, since each worker accepts others.
func (in *CheckDestinationInput) Validate() error { return in.decoded.check() }

// CheckDestinationResult is the result of asteroid.CheckDestination. It is empty: an activity that
// succeeds says that the worker accepts the destination and, as far as its store can tell, may
// write there.
type CheckDestinationResult struct{}
