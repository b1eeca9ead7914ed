package asteroid

import "time"

// WatchExecutionsInput is the input of the workflow asteroid.Watch and of its activity
// asteroid.WatchExecutions. ExecuteAgent starts the workflow; nobody else needs to.
type WatchExecutionsInput struct {
	// Connection is DefaultConnection when empty.
	Connection string `json:"connection,omitempty"`
	// TaskQueue is the task queue of the activity; empty means the workflow's own.
	TaskQueue string `json:"taskQueue,omitempty"`
	// Known and ScannedAt are those of the [WatchExecutionsResult] before this run. Empty means
	// that there was none.
	Known     []byte    `json:"known,omitempty"`
	ScannedAt time.Time `json:"scannedAt,omitzero"`

	decoded *decodedInput
}

// Validate checks the form of the input. Its error is asteroid.InvalidInput and names the field.
func (in *WatchExecutionsInput) Validate() error { return in.decoded.check() }

// WatchExecutionsResult is the result of asteroid.WatchExecutions.
type WatchExecutionsResult struct {
	// Known is the state of the watch, in an internal format, for the next run.
	Known []byte `json:"known,omitempty"`
	// ScannedAt is when the last whole scan ended, by the Temporal server's clock.
	ScannedAt time.Time `json:"scannedAt,omitzero"`
	// Idle is true when there has been nothing to watch for a while.
	Idle bool `json:"idle,omitempty"`
}
