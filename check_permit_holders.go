package asteroid

// CheckPermitHoldersInput is the input of asteroid.CheckPermitHolders, which the limiter runs while
// a run waits.
type CheckPermitHoldersInput struct {
	Holders []PermitRequest `json:"holders"`

	decoded *decodedInput
}

// Validate checks the form of the input. Its error is asteroid.InvalidInput and names the field.
func (in *CheckPermitHoldersInput) Validate() error { return in.decoded.check() }

// CheckPermitHoldersResult is the result of asteroid.CheckPermitHolders. Both lists are tokens.
type CheckPermitHoldersResult struct {
	// Gone are those whose workflow has closed, or is a later one of the same id.
	Gone []string `json:"gone,omitempty"`
	// Replaced are those whose run has been reset or continued as new and can answer: no workflow
	// task is pending.
	Replaced []string `json:"replaced,omitempty"`
	// ReplacedBusy are replaced, and a workflow task is pending.
	ReplacedBusy []string `json:"replacedBusy,omitempty"`
}
