package asteroid

import (
	"fmt"
	"path"
	"strings"

	"github.com/temporal-asteroid/asteroid/internal/text"
)

// FileSelection selects files of an execution. The zero value selects all of its downloads.
type FileSelection struct {
	// Directories are some of uploads, downloads, workspace, shared and debug. Empty means
	// downloads.
	Directories []string `json:"directories,omitempty"`
	// Names are patterns such as *.pdf, in the syntax of [path.Match]. A file is selected if its
	// name, without folders, matches one of them. Empty means every file.
	Names []string `json:"names,omitempty"`
	// Result adds the execution's result, if it has one, as the file result.json, whatever
	// Directories and Names select. It is in no directory: OutputFile.Directory is empty.
	Result bool `json:"result,omitempty"`
	// Manifest allows up to MaxManifestFiles files. Beyond MaxFiles, or where their names and URIs
	// together are too large for a workflow's history, the result is one manifest in place of the
	// files. Without it such a selection is an asteroid.InvalidInput.
	Manifest bool `json:"manifest,omitempty"`
}

// Validate checks the names of the directories and the patterns. Its error is asteroid.InvalidInput
// and names the field.
func (s *FileSelection) Validate() error {
	for i, directory := range s.Directories {
		if directory == "" || strings.ContainsAny(directory, `/\`) {
			return NewInvalidInput(fmt.Sprintf("directories[%d]", i), fmt.Sprintf(
				"%q is not a directory of an execution: "+
					"use uploads, downloads, workspace, shared or debug", text.Clip(directory)))
		}
	}
	for i, pattern := range s.Names {
		if _, err := path.Match(pattern, ""); err != nil || strings.Contains(pattern, "/") {
			return NewInvalidInput(fmt.Sprintf("names[%d]", i), fmt.Sprintf(
				"%q is not a pattern for a file name: write *.pdf or report-?.csv",
				text.Clip(pattern)))
		}
	}
	return nil
}
