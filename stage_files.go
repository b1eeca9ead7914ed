package asteroid

import (
	"fmt"
	"time"
)

// StageFilesInput is the input of asteroid.StageFiles.
type StageFilesInput struct {
	// Connection is DefaultConnection when empty.
	Connection string `json:"connection,omitempty"`
	// Files are at least one and at most a thousand.
	Files []FileRef `json:"files"`
}

// Validate checks what the contract forbids. Its error is asteroid.InvalidInput and names the field.
func (in *StageFilesInput) Validate() error {
	return checkCount(len(in.Files))
}

// StageFilesResult is the result of asteroid.StageFiles.
type StageFilesResult struct {
	// Files are in the order of the input.
	Files []StagedFile `json:"files"`
	// LifetimeSeconds is how long the first of them to expire still lives: a duration, as the worker's clock may not be the
	// workflow's.
	LifetimeSeconds int64 `json:"lifetimeSeconds,omitempty"`
}

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
const MaxFiles = 1000

func checkCount(files int) error {
	switch {
	case files == 0:
		return NewInvalidInput("files", "name at least one file")
	case files > MaxFiles:
		return NewInvalidInput("files", fmt.Sprintf("are %d, more than %d: put them into an archive", files, MaxFiles))
	}
	return nil
}
