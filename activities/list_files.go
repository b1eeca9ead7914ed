package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

// ListFilesInput is the input of asteroid.ListFiles.
type ListFilesInput struct {
	// Connection is DefaultConnection when empty.
	Connection  string `json:"connection,omitempty"`
	ExecutionID string `json:"executionId"`
	FileSelection
}

// FileSelection says which of an execution's files are meant. The zero value means all of its downloads.
type FileSelection struct {
	// Directories are those of uploads, downloads, workspace, shared and debug that are looked into; downloads when empty.
	Directories []string `json:"directories,omitempty"`
	// Names are patterns such as *.pdf, in the form of [path.Match]; a file is meant if its name, without folders, matches
	// one. Empty means every file.
	Names []string `json:"names,omitempty"`
}

// ListFilesResult is the result of asteroid.ListFiles.
type ListFilesResult struct {
	// Files are in the order of their directories and names.
	Files []OutputFile `json:"files"`
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

const (
	// settlePatience bounds how long a listing may keep changing.
	settlePatience = 2 * time.Minute
	// addedPatience is how long a file is waited for that the run's log tells of. It may have been removed again.
	addedPatience = 30 * time.Second
)

// ListFiles lists files of an execution (https://docs.asteroid.ai/api-reference/files/get-execution-files) as
// references that another agent can be given: their content stays where it is until that one's files are staged.
//
// The service copies files from an agent's machine in the background, so what is listed right after a run has ended may not
// be all. The activity lists until two listings in a row agree, Options.SettleInterval apart, and waits up to half a minute for
// files of which the run's log tells that they were added. The files of a run that goes on are those of the moment.
//
// Errors: asteroid.InvalidInput for a pattern that is none, or a selection of more than a thousand files; asteroid.Unavailable,
// retried, when the listing still changes after two minutes; asteroid.NotFound, retryable during the first minute; and those of the API.
func (a *Activities) ListFiles(ctx context.Context, in ListFilesInput) (*ListFilesResult, error) {
	c, err := a.connection(in.Connection)
	if err != nil {
		return nil, err
	}
	if err := checkID("executionId", in.ExecutionID); err != nil {
		return nil, err
	}
	if err := in.FileSelection.Validate(); err != nil {
		return nil, err
	}
	listed, err := a.settled(ctx, c, in.ExecutionID, in.FileSelection)
	if err != nil {
		return nil, err
	}
	result := &ListFilesResult{Files: make([]OutputFile, len(listed))}
	for i, file := range listed {
		result.Files[i] = OutputFile{
			FileRef: FileRef{
				URI: ExecutionFileURI(in.ExecutionID, file.Directory, relativePath(file)), Name: file.FileName, ContentType: outputType(file),
			},
			Directory: file.Directory, Size: file.FileSize,
		}
	}
	return result, nil
}

// Validate checks the patterns and the directories' names. Its error is asteroid.InvalidInput and names the field.
func (s *FileSelection) Validate() error {
	for i, directory := range s.Directories {
		if directory == "" || strings.ContainsAny(directory, `/\`) {
			return invalid(fmt.Sprintf("directories[%d]", i), fmt.Sprintf("%q is no directory of an execution: name uploads, downloads, workspace, shared or debug", clip(directory)))
		}
	}
	for i, pattern := range s.Names {
		if _, err := path.Match(pattern, ""); err != nil || strings.Contains(pattern, "/") {
			return invalid(fmt.Sprintf("names[%d]", i), fmt.Sprintf("%q is no pattern for a name: write *.pdf or report-?.csv", clip(pattern)))
		}
	}
	return nil
}

func (s *FileSelection) has(file api.AgentFile) bool {
	if len(s.Directories) == 0 && file.Directory != "downloads" || len(s.Directories) > 0 && !slices.Contains(s.Directories, file.Directory) {
		return false
	}
	return s.names(file.FileName)
}

func (s *FileSelection) names(name string) bool {
	return len(s.Names) == 0 || slices.ContainsFunc(s.Names, func(pattern string) bool {
		matches, _ := path.Match(pattern, path.Base(name)) // checked before
		return matches
	})
}

// settled lists the selected files once two listings agree on them.
func (a *Activities) settled(ctx context.Context, c *connection, executionID string, selection FileSelection) ([]api.AgentFile, error) {
	added, err := c.addedFiles(ctx, executionID)
	if err != nil {
		return nil, a.forgiveEarlyNotFound(ctx, err)
	}
	var before []api.AgentFile
	for began := time.Now(); ; {
		listed, err := c.files(ctx, executionID)
		if err != nil {
			return nil, a.forgiveEarlyNotFound(ctx, err)
		}
		awaited := time.Since(began) < addedPatience && slices.ContainsFunc(added, func(name string) bool {
			return selection.names(name) && !slices.ContainsFunc(listed, func(file api.AgentFile) bool { return file.FileName == name })
		})
		listed = slices.DeleteFunc(listed, func(file api.AgentFile) bool { return !selection.has(file) })
		slices.SortFunc(listed, func(x, y api.AgentFile) int {
			return cmp.Or(cmp.Compare(x.Directory, y.Directory), cmp.Compare(relativePath(x), relativePath(y)), cmp.Compare(x.ID, y.ID))
		})
		if before != nil && !awaited && slices.EqualFunc(before, listed, sameFile) {
			if len(listed) > maxFiles {
				return nil, invalid("names", fmt.Sprintf("select %d files, more than %d: narrow the patterns or the directories", len(listed), maxFiles))
			}
			return listed, nil
		}
		before = append([]api.AgentFile{}, listed...)
		if time.Since(began) > settlePatience {
			return nil, referenceError(ctx, "executionId", unreadable("the files of execution %s still change", executionID))
		}
		if !pause(ctx, a.settle) {
			return nil, ended(ctx, context.Cause(ctx))
		}
	}
}

// addedFiles returns the names of files that the run's log, as far as it is read, says the agent has added.
func (c *connection) addedFiles(ctx context.Context, executionID string) ([]string, error) {
	log, err := c.activities(ctx, executionID)
	if failed, ok := errors.AsType[*failure](err); ok && failed.outcome() == outcomeRejected && failed.status != http.StatusTooManyRequests {
		return nil, nil // the listing alone will do
	}
	var names []string
	for _, entry := range log {
		if entry.ActivityType == "file_added" && entry.Source != "upload" && entry.FileName != "" {
			names = append(names, entry.FileName)
		}
	}
	return names, err
}

// outputType is the content type that the service says, if it is one, or nothing.
func outputType(file api.AgentFile) string {
	if said := value(file.MimeType); isMediaType(said) {
		return said
	}
	return ""
}

func sameFile(x, y api.AgentFile) bool {
	return x.ID == y.ID && x.FileSize == y.FileSize && value(x.UpdatedAt).Equal(value(y.UpdatedAt))
}

func inDirectory(files []api.AgentFile, directory string) []api.AgentFile {
	var found []api.AgentFile
	for _, file := range files {
		if file.Directory == directory {
			found = append(found, file)
		}
	}
	return found
}
