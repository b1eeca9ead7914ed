package asteroid

import (
	"time"
)

// Progress is the heartbeat of an activity that moves files: what the web UI shows while it is pending, and where the next
// attempt goes on.
type Progress[File any] struct {
	// Done holds finished files, those of earlier attempts too: by their index in the input, or by their id at the service.
	Done map[string]File `json:"done,omitempty"`
	// Sending are those that may or may not have arrived. Only AttachFiles, whose requests cannot be repeated, tells them.
	Sending []string `json:"sending,omitempty"`
	// Looking is since when AttachFiles looks for those.
	Looking time.Time `json:"looking,omitzero"`
	// Files and Bytes count what this attempt has moved, of what it has to move. TotalBytes leaves out files whose size is
	// only known at their end.
	Files      int   `json:"files"`
	TotalFiles int   `json:"totalFiles"`
	Bytes      int64 `json:"bytes"`
	TotalBytes int64 `json:"totalBytes"`
}
