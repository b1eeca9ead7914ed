package asteroid

// WatchExecutionsInput is the input of the workflow asteroid.Watch and of its activity asteroid.WatchExecutions.
type WatchExecutionsInput struct {
	// Connection is DefaultConnection when empty.
	Connection string `json:"connection,omitempty"`
	// TaskQueue is where the activity runs; empty is the workflow's own.
	TaskQueue string `json:"taskQueue,omitempty"`
	// Known is what the watch before this one knew, in a form of its own.
	Known []byte `json:"known,omitempty"`
}

// WatchExecutionsResult is the result of asteroid.WatchExecutions.
type WatchExecutionsResult struct {
	Known []byte `json:"known,omitempty"`
	// Idle is true when there has been nothing to watch for a while.
	Idle bool `json:"idle,omitempty"`
}
