package asteroid

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// LimiterWorkflowID returns the id of the workflow that hands out the permits of a key.
func LimiterWorkflowID(connection, key string) string {
	id := LimiterWorkflowName + "/" + cmp.Or(connection, DefaultConnection) + "/" + key
	if len(id) > 500 {
		sum := sha256.Sum256([]byte(id))
		id = id[:400] + "/" + hex.EncodeToString(sum[:16])
	}
	return id
}

// LimiterInput is the input of the workflow asteroid.Limiter.
type LimiterInput struct {
	Connection string `json:"connection"`
	Key        string `json:"key"`
	// State is what a run of the workflow hands to the next.
	State []byte `json:"state,omitempty"`
}

// LimiterState is how the permits of a key are held.
type LimiterState struct {
	Connection string `json:"connection"`
	Key        string `json:"key"`
	Max        int    `json:"max"`
	// MaxSet says that an operator has set Max, so requests do not change it.
	MaxSet  bool           `json:"maxSet,omitempty"`
	Granted int            `json:"granted"` // permits, since the limiter has begun
	Holders []PermitHolder `json:"holders,omitempty"`
	// Waiting is how many runs wait. Next are the next ones, at most 100, in their order.
	Waiting int            `json:"waiting"`
	Next    []PermitHolder `json:"next,omitempty"`
}

// PermitHolder is a run that holds a permit or waits for one.
type PermitHolder struct {
	Token       string `json:"token"`
	WorkflowID  string `json:"workflowId"`
	RunID       string `json:"runId"`
	FairnessKey string `json:"fairnessKey,omitempty"`
	// Since is when the permit was granted, or requested.
	Since time.Time `json:"since"`
}

// PermitPlaceQuery asks a limiter for the place of a request, by its token.
const PermitPlaceQuery = "asteroid.permitPlace"

// PermitPlace is the place of a request. One that neither holds a permit nor waits was not taken:
// too many wait. Before is how many runs go first.
type PermitPlace struct {
	Held   bool `json:"held,omitempty"`
	Waits  bool `json:"waits,omitempty"`
	Before int  `json:"before,omitempty"`
	// Began is when the limiter began.
	Began time.Time `json:"began,omitzero"`
}

// SetLimitUpdate sets the number of permits of a limiter, and FreePermitUpdate takes a permit from
// its holder, who is not told.
const (
	SetLimitUpdate   = "asteroid.setLimit"
	FreePermitUpdate = "asteroid.freePermit"
)

// SetLimitInput is the input of SetLimitUpdate. Max 0 lets the requests say again.
type SetLimitInput struct {
	Max int `json:"max"`
}

// FreePermitInput is the input of FreePermitUpdate: the Token of the [LimiterState].
type FreePermitInput struct {
	Token string `json:"token"`
}
