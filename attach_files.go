package asteroid

// AttachFilesInput is the input of asteroid.AttachFiles.
type AttachFilesInput struct {
	// Connection is DefaultConnection when empty.
	Connection  string `json:"connection,omitempty"`
	ExecutionID string `json:"executionId"`
	// Files are at least one and at most a thousand.
	Files []FileRef `json:"files"`
}

// Validate checks what the contract forbids. Its error is asteroid.InvalidInput and names the field.
func (in *AttachFilesInput) Validate() error {
	if err := checkID("executionId", in.ExecutionID); err != nil {
		return err
	}
	return checkCount(len(in.Files))
}

// AttachFilesResult is the result of asteroid.AttachFiles.
type AttachFilesResult struct {
	// Files are in the order of the input.
	Files []AttachedFile `json:"files"`
}

// AttachedFile is a file that a running execution was given.
type AttachedFile struct {
	// Name is that under which the agent sees it, in the directory uploads.
	Name string `json:"name"`
	// Size is in bytes.
	Size        int64  `json:"size"`
	ContentType string `json:"contentType"`
	// AlreadySent is true when an earlier attempt turned out to have delivered the file.
	AlreadySent bool `json:"alreadySent,omitempty"`
}
