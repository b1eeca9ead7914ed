package asteroid

// AttachFilesInput is the input of asteroid.AttachFiles
// (https://docs.asteroid.ai/api-reference/files/upload-files-to-execution).
type AttachFilesInput struct {
	// Connection is DefaultConnection when empty.
	Connection string `json:"connection,omitempty"`
	// ExecutionID is required.
	ExecutionID string `json:"executionId"`
	// Files are at least one and at most MaxFiles, those of manifests included.
	Files []FileRef `json:"files"`

	decoded *decodedInput
}

// Validate checks the execution id and the number of files. Its error is asteroid.InvalidInput and
// names the field. Only the activity checks the references, since each worker opens others.
func (in *AttachFilesInput) Validate() error {
	if err := in.decoded.check(); err != nil {
		return err
	}
	if err := checkID("executionId", in.ExecutionID); err != nil {
		return err
	}
	return checkFiles(in.Files)
}

// AttachFilesResult is the result of asteroid.AttachFiles.
type AttachFilesResult struct {
	// Files are in the order of the input, those of a manifest in its place.
	Files []AttachedFile `json:"files"`
}

// AttachedFile is a file that a running execution was given.
type AttachedFile struct {
	// Name is the name that the agent sees, in the directory uploads.
	Name string `json:"name"`
	// Size is in bytes.
	Size int64 `json:"size"`
	// ContentType is the media type with which the file was sent.
	ContentType string `json:"contentType"`
	// AlreadySent is true when the activity found that an earlier attempt had delivered the file.
	AlreadySent bool `json:"alreadySent,omitempty"`
}
