package asteroid

import (
	"fmt"
	"path"
	"strings"

	"github.com/temporal-asteroid/asteroid/internal/text"
)

// FileSelection says which of an execution's files are meant. The zero value means all of its downloads.
type FileSelection struct {
	// Directories are those of uploads, downloads, workspace, shared and debug that are looked into; downloads when empty.
	Directories []string `json:"directories,omitempty"`
	// Names are patterns such as *.pdf, in the form of [path.Match]; a file is meant if its name, without folders, matches
	// one. Empty means every file.
	Names []string `json:"names,omitempty"`
}

// Validate checks the patterns and the directories' names. Its error is asteroid.InvalidInput and names the field.
func (s *FileSelection) Validate() error {
	for i, directory := range s.Directories {
		if directory == "" || strings.ContainsAny(directory, `/\`) {
			return NewInvalidInput(fmt.Sprintf("directories[%d]", i), fmt.Sprintf("%q is no directory of an execution: name uploads, downloads, workspace, shared or debug", text.Clip(directory)))
		}
	}
	for i, pattern := range s.Names {
		if _, err := path.Match(pattern, ""); err != nil || strings.Contains(pattern, "/") {
			return NewInvalidInput(fmt.Sprintf("names[%d]", i), fmt.Sprintf("%q is no pattern for a name: write *.pdf or report-?.csv", text.Clip(pattern)))
		}
	}
	return nil
}

// OutputFile is a reference to a file that an execution left, or to its copy. It goes into the Files of the next step.
type OutputFile struct {
	FileRef
	// Directory is that of the execution in which the file lay.
	Directory string `json:"directory"`
	// Size is in bytes.
	Size int64 `json:"size"`
	// SHA256 is the checksum of a saved file in lower-case hex. ListFiles, which does not read the files, leaves it empty.
	SHA256 string `json:"sha256,omitempty"`
}

// References returns the references alone, for the Files of another activity or agent.
func References(files []OutputFile) []FileRef {
	refs := make([]FileRef, len(files))
	for i, file := range files {
		refs[i] = file.FileRef
	}
	return refs
}
