package asteroid

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Limit bounds how many runs of agents are under way at once, over all workflows of a namespace
// that name the same connection and key. A run takes one permit of the key before it stages
// anything, and gives it back when its agent is over. The workflow asteroid.Limiter hands them out.
//
// The limiter lives on the task queue of the workflow that asked first, until nobody has used it
// for ten minutes. It grants nothing while no worker polls that queue. Waiting runs of other queues
// then say so in their state, their workers log a warning, and `asteroid limits list` names the
// queue. Start a worker there. If there is to be none any more, make sure that none of the limit's
// runs is at work, and terminate the limiter: it forgets who holds permits, and the waiting runs
// start it on a queue of theirs within ten minutes.
type Limit struct {
	// Key is what is limited, such as a login. It is required and has at most 200 bytes. A
	// [ProfileLimitKey] is the key of an agent profile.
	Key string `json:"key"`
	// Max is the number of permits, 1 when 0 and at most 1,000. The newest request's Max counts at
	// once, unless an operator has set another one.
	Max int `json:"max,omitempty"`
	// FairnessKey is who shares the permits, such as a tenant, in at most 200 bytes. Permits go
	// round the fairness keys in turn. Within one, the run that has waited longest is next.
	FairnessKey string `json:"fairnessKey,omitempty"`
}

// RunLimits are limits of a worker for all runs of RunAgent and StartAgent, beside those of their
// inputs. The zero value has none.
type RunLimits struct {
	// PerProfile bounds the runs of each agent profile at once: 1 lets no two agents use one login.
	// 0 is no limit. A run that names a pool, and no profile, is not limited: the service chooses
	// the profile.
	PerProfile int
	// All apply to every run.
	All []Limit
}

const (
	maxLimitKey = 200
	maxPermits  = 1000
	maxLimits   = 10 // of one run
)

// ProfileLimitKey is the key of the limit that RunLimits.PerProfile sets for an agent profile.
func ProfileLimitKey(agentProfileID string) string { return "profile/" + agentProfileID }

// ValidateLimits checks the limits of one run. Its error is asteroid.InvalidInput and names the
// field.
func ValidateLimits(field string, limits []Limit) error {
	if len(limits) > maxLimits {
		return NewInvalidInput(field, fmt.Sprintf("are %d, more than %d", len(limits), maxLimits))
	}
	for i, limit := range limits {
		at := fmt.Sprintf("%s[%d].", field, i)
		switch {
		case limit.Key == "" || len(limit.Key) > maxLimitKey || strings.ContainsFunc(limit.Key, unicode.IsControl):
			return NewInvalidInput(at+"key", fmt.Sprintf("must have 1 to %d bytes and no control characters", maxLimitKey))
		case len(limit.FairnessKey) > maxLimitKey:
			return NewInvalidInput(at+"fairnessKey", fmt.Sprintf("has %d bytes, more than %d", len(limit.FairnessKey), maxLimitKey))
		case limit.Max < 0 || limit.Max > maxPermits:
			return NewInvalidInput(at+"max", fmt.Sprintf("is %d: must be 1 to %d, or 0 for 1", limit.Max, maxPermits))
		}
	}
	return nil
}

// Validate refuses limits that no run could take.
func (l RunLimits) Validate() error {
	if l.PerProfile < 0 || l.PerProfile > maxPermits {
		return NewInvalidInput("perProfile", fmt.Sprintf("is %d: must be 1 to %d, or 0 for no limit", l.PerProfile, maxPermits))
	}
	return ValidateLimits("all", l.All)
}

// Of returns the limits of one run: those of its input, which come first where both name a key, and
// the worker's. They are in the order in which every run takes them, so no two runs wait for each
// other.
func (l RunLimits) Of(agentProfileID string, input []Limit) []Limit {
	limits := slices.Concat(input, l.All)
	if l.PerProfile > 0 && agentProfileID != "" {
		limits = append(limits, Limit{Key: ProfileLimitKey(agentProfileID), Max: l.PerProfile})
	}
	slices.SortStableFunc(limits, func(a, b Limit) int { return strings.Compare(a.Key, b.Key) })
	return slices.CompactFunc(limits, func(a, b Limit) bool { return a.Key == b.Key })
}

// LimiterWorkflowID returns the id of the workflow that hands out the permits of a key.
func LimiterWorkflowID(connection, key string) string {
	id := LimiterWorkflowName + "/" + cmp.Or(connection, DefaultConnection) + "/" + key
	if len(id) > 500 {
		sum := sha256.Sum256([]byte(id))
		id = id[:400] + "/" + hex.EncodeToString(sum[:16])
	}
	return id
}

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
	// Token identifies the request: workflow id, original run id and a number.
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

// AcquirePermitInput is the input of asteroid.AcquirePermit.
type AcquirePermitInput struct {
	// Connection is DefaultConnection when empty.
	Connection     string `json:"connection,omitempty"`
	AgentProfileID string `json:"agentProfileId,omitempty"`
	// Limits are those of the run's input. Take is the index of the one to request, in the result's
	// Limits. From 1 on, Limits are that result's.
	Limits []Limit `json:"limits,omitempty"`
	Take   int     `json:"take,omitempty"`
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
	return ValidateLimits("limits", in.Limits)
}

// AcquirePermitResult is the result of asteroid.AcquirePermit.
type AcquirePermitResult struct {
	// Limits are all that the run takes, in this order.
	Limits []Limit `json:"limits,omitempty"`
	// Limiter is the workflow that grants the permit by a [PermitEvent]. It is empty when there is
	// nothing to wait for: no limits, or the SDK's test environment.
	Limiter string `json:"limiter,omitempty"`
	// Before is how many runs go first, as far as the limiter has told in time.
	Before int `json:"before,omitempty"`
	// UnservedQueue is the task queue on which the limiter lives, if no worker polls it.
	UnservedQueue string `json:"unservedQueue,omitempty"`
}

// Permit is a permit that RunAgent holds. The limiter has granted it to the run RunID.
type Permit struct {
	Key   string `json:"key"`
	RunID string `json:"runId"`
}

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
