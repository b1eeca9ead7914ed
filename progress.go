package asteroid

import "time"

// Progress is the heartbeat of an activity that moves files. The web UI shows it while the activity
// runs, and the next attempt continues from it. File is [StagedFile] in StageFiles, [AttachedFile]
// in AttachFiles and [OutputFile] in SaveFiles.
type Progress[File any] struct {
	// Done holds the finished files, those of earlier attempts too. The key is a file's index in
	// the input, or its id at the service in SaveFiles.
	Done map[string]File `json:"done,omitempty"`
	// Sending lists files, by their index in the input, whose upload outcome is unknown. Only
	// AttachFiles sets it, because its requests cannot be repeated safely.
	Sending []string `json:"sending,omitempty"`
	// Looking is when AttachFiles began to look for the Sending files at the service; zero when it
	// does not.
	Looking time.Time `json:"looking,omitzero"`
	// Files and Bytes count what this attempt has moved, of TotalFiles and TotalBytes to move.
	// TotalBytes leaves out files whose size is not known in advance.
	Files      int   `json:"files"`
	TotalFiles int   `json:"totalFiles"`
	Bytes      int64 `json:"bytes"`
	TotalBytes int64 `json:"totalBytes"`
}
