package asteroid

import (
	"fmt"

	"github.com/temporal-asteroid/asteroid/internal/text"
)

// ExecutionOptions override an agent's own settings for one run. Each may be empty.
type ExecutionOptions struct {
	// SharedStorageKey scopes the run's shared files. The newer dialect calls it variantKey, and
	// the worker sends it as such. Runs with the same key at the same time can overwrite each
	// other's files.
	SharedStorageKey string `json:"sharedStorageKey,omitempty"`
	// VariantKey is the newer name of SharedStorageKey. At most one of the two may be set.
	VariantKey string `json:"variantKey,omitempty"`
	// SoftTimeoutMins is the number of minutes, at least 1, after which every step urges the agent
	// to finish. It does not end the run. It must be below the agent's own hard timeout.
	SoftTimeoutMins *int32 `json:"softTimeoutMins,omitempty"`
}

func (o *ExecutionOptions) validate(field string) error {
	switch {
	case o == nil:
		return nil
	case o.SoftTimeoutMins != nil && *o.SoftTimeoutMins < 1:
		return NewInvalidInput(field+".softTimeoutMins", fmt.Sprintf(
			"is %d: must be at least 1", *o.SoftTimeoutMins))
	case o.SharedStorageKey != "" && o.VariantKey != "":
		return NewInvalidInput(field+".sharedStorageKey",
			"excludes variantKey, which is its newer name")
	}
	return nil
}

// OnCapacityLimit is what the service does with an execute while the organization is at its limit
// of executions or every profile of the pool is in use.
type OnCapacityLimit string

const (
	// CapacityReject makes ExecuteAgent fail with asteroid.AtCapacity, which is retried: Temporal
	// is the queue. It is the default.
	CapacityReject OnCapacityLimit = "reject"
	// CapacityQueue makes the service create the execution with the status queued.
	CapacityQueue OnCapacityLimit = "queue"
)

func (o OnCapacityLimit) validate(field string, files []StagedFile) error {
	switch o {
	case "", CapacityReject:
	case CapacityQueue:
		if len(files) > 0 {
			return NewInvalidInput(field,
				"queue does not go with files: staged files would expire in the queue")
		}
	default:
		return NewInvalidInput(field, fmt.Sprintf("%q is neither %q nor %q",
			text.Clip(string(o)), CapacityReject, CapacityQueue))
	}
	return nil
}
