package asteroid

import (
	"fmt"
	"time"
)

// StagedFileLifetime is how long the service keeps a staged file that no execution has taken
// (https://docs.asteroid.ai/fundamentals/files).
const StagedFileLifetime = 60 * time.Minute

// StagedFile is a file that waits at the service for one execution. StageFiles returns it, and
// ExecuteAgent takes it unchanged.
type StagedFile struct {
	// ID and Name are required: the service finds the file by its id and gives it to the agent
	// under its name.
	ID   string `json:"id"`
	Name string `json:"name"`
	// Size is in bytes.
	Size int64 `json:"size"`
	// ContentType is the media type with which the file was sent.
	ContentType string `json:"contentType"`
	// ExpiresAt is when the service deletes the file unless an execution has taken it, by the
	// worker's clock. It is on the safe side: StagedFileLifetime from before the upload began.
	ExpiresAt time.Time `json:"expiresAt"`
	// Identity is a digest of the FileRef, without what changes when the same file is staged again.
	Identity string `json:"identity,omitempty"`
}

func checkStagedFiles(field string, files []StagedFile) error {
	seen := make(map[string]int, len(files))
	for i, file := range files {
		item := fmt.Sprintf("%s[%d]", field, i)
		if err := checkID(item+".id", file.ID); err != nil {
			return err
		}
		if file.Name == "" {
			return NewInvalidInput(item+".name",
				"is required: pass on what StageFiles returned, unchanged")
		}
		if first, twice := seen[file.ID]; twice {
			return NewInvalidInput(item+".id", fmt.Sprintf(
				"is the same file as %s[%d]: a staged file serves once", field, first))
		}
		seen[file.ID] = i
	}
	return nil
}
