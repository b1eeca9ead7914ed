package asteroid

import "time"

// The signals of limits. AcquirePermit sends a [PermitRequest] to the limiter, a workflow sends a
// [PermitRelease], and the limiter answers a workflow with a [PermitEvent].
const (
	AcquirePermitSignal = "asteroid.acquirePermit"
	ReleasePermitSignal = "asteroid.releasePermit"
	PermitSignal        = "asteroid.permit"
)

// PermitRequest asks for a permit. It is idempotent by its Token: the token of a permit that is
// held is granted again, to the run that the newest request names.
type PermitRequest struct {
	// Token identifies the request: workflow id, original run id, a digest of the request,
	// and a number among equal ones.
	Token      string `json:"token"`
	WorkflowID string `json:"workflowId"`
	RunID      string `json:"runId"`
	FirstRunID string `json:"firstRunId"`
	// FairnessKey and Max are those of the [Limit].
	FairnessKey string `json:"fairnessKey,omitempty"`
	Max         int    `json:"max"`
	// RequestedAt is the place in the order, which a repeated request keeps.
	RequestedAt time.Time `json:"requestedAt"`
}

// PermitRelease gives a permit back, or ends the wait for it.
type PermitRelease struct {
	Token string `json:"token"`
}

// PermitEvent tells a workflow about its permit. Granted means that RunID holds it now. Otherwise
// the limiter asks whether the workflow still holds or wants it: a reset has replaced the run that
// took it. The workflow requests it again, or gives it back.
type PermitEvent struct {
	Token   string `json:"token"`
	Limiter string `json:"limiter"` // workflow id
	RunID   string `json:"runId,omitempty"`
	Granted bool   `json:"granted,omitempty"`
}

// Permit is a permit that RunAgent holds. The limiter has granted it to the run RunID.
type Permit struct {
	Key   string `json:"key"`
	RunID string `json:"runId"`
}
