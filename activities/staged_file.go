package activities

import (
	"fmt"
	"time"
)

// StagedFileLifetime is how long the service keeps a staged file that no execution took (fundamentals/files).
const StagedFileLifetime = 60 * time.Minute

// StagedFile is a file that waits at the service for one execution. Pass it on unchanged.
type StagedFile struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Size is in bytes.
	Size        int64  `json:"size"`
	ContentType string `json:"contentType"`
	// ExpiresAt is when the service deletes the file unless an execution has taken it, by the worker's clock and on the
	// safe side: counted from before the upload.
	ExpiresAt time.Time `json:"expiresAt"`
}

// maxFiles bounds the files of one call: their names and ids have to fit into heartbeats and results.
const maxFiles = 1000

func checkCount(files int) error {
	switch {
	case files == 0:
		return invalid("files", "name at least one file")
	case files > maxFiles:
		return invalid("files", fmt.Sprintf("are %d, more than %d: put them into an archive", files, maxFiles))
	}
	return nil
}
