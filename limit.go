package asteroid

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limit bounds how many runs of agents are under way at once, over all workflows of a namespace
// that name the same connection and key. A run takes one permit of the key before it stages
// anything, and gives it back when its agent is over. The workflow asteroid.Limiter hands them out.
//
// The limiter lives on the task queue of the workflow that asked first, until nobody has used it
// for ten minutes and no operator's Max is in force. It grants nothing while no worker polls that
// queue. Waiting runs of other queues then say so in their state, their workers log a
// warning, and `asteroid limits list` names the queue. Start a worker there. If there is to be none
// any more, make sure that none of the limit's runs is at work, and terminate the limiter: it
// forgets who holds permits, and the waiting runs start it on a queue of theirs within ten minutes,
// or within an hour if they have waited for six.
type Limit struct {
	// Key is what is limited, such as a login. It is required and has at most 200 bytes. A
	// [ProfileLimitKey] is the key of an agent profile.
	Key string `json:"key"`
	// Max is the number of permits, 1 when 0 and at most 1,000. The newest request's Max counts at
	// once, unless an operator has set another one. A run that asks again is no newer for that.
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
func ProfileLimitKey(agentProfileID string) string {
	return "profile/" + strings.ToLower(agentProfileID) // ids are one in any letter case
}

// ValidateLimits checks the limits of one run. Its error is asteroid.InvalidInput and names the
// field.
func ValidateLimits(field string, limits []Limit) error {
	if len(limits) > maxLimits {
		return NewInvalidInput(field, fmt.Sprintf("are %d, more than %d", len(limits), maxLimits))
	}
	for i, limit := range limits {
		at := fmt.Sprintf("%s[%d].", field, i)
		switch {
		case limit.Key == "" || len(limit.Key) > maxLimitKey || strings.ContainsFunc(limit.Key, unicode.IsControl) || !utf8.ValidString(limit.Key):
			return NewInvalidInput(at+"key", fmt.Sprintf("must have 1 to %d bytes of UTF-8 and no control characters", maxLimitKey))
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
