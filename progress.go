package asteroid

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"time"

	"github.com/temporal-asteroid/asteroid/internal/budget"
)

// Progress is the heartbeat of an activity that moves files. The web UI shows it while the activity
// runs, and the next attempt continues from it. File is [StagedFile] in StageFiles, [AttachedFile]
// in AttachFiles and [OutputFile] in SaveFiles.
type Progress[File any] struct {
	// Done holds the finished files, those of earlier attempts too.
	Done FinishedFiles[File] `json:"done,omitempty"`
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

// FinishedFiles are files by their index in the input, or by their id at the service in SaveFiles.
// Their JSON is an object. Beyond 4 KiB it is a string instead: that object, with gzip, in base64.
type FinishedFiles[File any] map[string]File

const (
	// plainProgress is the size up to which finished files are readable in the web UI.
	plainProgress = 4 << 10
	// unpackedProgress bounds the size of what a heartbeat holds packed.
	unpackedProgress = 2 * budget.Manifest
)

// MarshalJSON implements [json.Marshaler].
func (f FinishedFiles[File]) MarshalJSON() ([]byte, error) {
	plain, err := json.Marshal(map[string]File(f))
	if err != nil || len(plain) <= plainProgress {
		return plain, err
	}
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	_, _ = writer.Write(plain) // a bytes.Buffer never fails
	_ = writer.Close()
	return json.Marshal(packed.Bytes())
}

// UnmarshalJSON implements [json.Unmarshaler].
func (f *FinishedFiles[File]) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '"' {
		var packed []byte
		if err := json.Unmarshal(raw, &packed); err != nil {
			return err
		}
		reader, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			return err
		}
		if raw, err = io.ReadAll(io.LimitReader(reader, unpackedProgress)); err != nil {
			return err
		}
	}
	return json.Unmarshal(raw, (*map[string]File)(f))
}
