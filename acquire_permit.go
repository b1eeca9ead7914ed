package asteroid

import (
	"fmt"
	"time"
)

// AcquirePermitInput is the input of asteroid.AcquirePermit.
type AcquirePermitInput struct {
	// Connection is DefaultConnection when empty.
	Connection     string `json:"connection,omitempty"`
	AgentProfileID string `json:"agentProfileId,omitempty"`
	// Limits are those of the run's input, or with Repeated those of an earlier result, which are
	// all that the run takes. Take is the index of the one to request, in the result's Limits.
	Limits   []Limit `json:"limits,omitempty"`
	Repeated bool    `json:"repeated,omitempty"`
	Take     int     `json:"take,omitempty"`
	// Token identifies the run of the agent, across resets of its workflow.
	Token       string    `json:"token"`
	FirstRunID  string    `json:"firstRunId"`
	RequestedAt time.Time `json:"requestedAt"`

	decoded *decodedInput
}

// Validate checks the limits. Its error is asteroid.InvalidInput and names the field.
func (in *AcquirePermitInput) Validate() error {
	if err := in.decoded.check(); err != nil {
		return err
	}
	switch {
	case in.Take < 0:
		return NewInvalidInput("take", fmt.Sprintf("is %d: must not be negative", in.Take))
	case in.Token == "":
		return NewInvalidInput("token", "is empty")
	case in.Repeated:
		return nil // the worker's limits are among them
	default:
		return ValidateLimits("limits", in.Limits)
	}
}

// AcquirePermitResult is the result of asteroid.AcquirePermit.
type AcquirePermitResult struct {
	// Limits are all that the run takes, in this order.
	Limits []Limit `json:"limits,omitempty"`
	// Limiter is the workflow that grants the permit by a [PermitEvent]. It is empty when there is
	// nothing to wait for: no limits, or the SDK's test environment.
	Limiter string `json:"limiter,omitempty"`
	// LimiterBegan is when the limiter began, as far as it has told in time. It has forgotten what
	// was requested before.
	LimiterBegan time.Time `json:"limiterBegan,omitzero"`
	// Before is how many runs go first, as far as the limiter has told in time.
	Before int `json:"before,omitempty"`
	// UnservedQueue is the task queue on which the limiter lives, if no worker polls it.
	UnservedQueue string `json:"unservedQueue,omitempty"`
}
