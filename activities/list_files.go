package activities

import (
	"context"
	"fmt"
	"path"
	"slices"
	"time"
)

// ListFilesInput is the input of asteroid.ListFiles.
type ListFilesInput struct {
	// Connection is DefaultConnection when empty.
	Connection  string `json:"connection,omitempty"`
	ExecutionID string `json:"executionId"`
	FileSelection
}

// Validate checks what the contract forbids. Its error is asteroid.InvalidInput and names the field.
func (in *ListFilesInput) Validate() error {
	if err := checkID("executionId", in.ExecutionID); err != nil {
		return err
	}
	return in.FileSelection.Validate()
}

// ListFilesResult is the result of asteroid.ListFiles.
type ListFilesResult struct {
	// Files are in the order of their directories and names.
	Files []OutputFile `json:"files"`
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
	if err := in.Validate(); err != nil {
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
				URI: ExecutionFileURI(in.ExecutionID, file.Directory, file.relativePath()), Name: file.Name, ContentType: outputType(file),
			},
			Directory: file.Directory, Size: file.Size,
		}
	}
	return result, nil
}

func selects(s FileSelection, file listedFile) bool {
	if len(s.Directories) == 0 && file.Directory != "downloads" || len(s.Directories) > 0 && !slices.Contains(s.Directories, file.Directory) {
		return false
	}
	return selectsName(s, file.Name)
}

func selectsName(s FileSelection, name string) bool {
	return len(s.Names) == 0 || slices.ContainsFunc(s.Names, func(pattern string) bool {
		matches, _ := path.Match(pattern, path.Base(name)) // checked before
		return matches
	})
}

// settled lists the selected files once two listings agree on them.
func (a *Activities) settled(ctx context.Context, c *connection, executionID string, selection FileSelection) ([]listedFile, error) {
	added, err := c.addedFiles(ctx, executionID)
	if err != nil {
		return nil, a.forgiveEarlyNotFound(ctx, err)
	}
	var before []listedFile
	for began := time.Now(); ; {
		listed, err := c.files(ctx, executionID)
		if err != nil {
			return nil, a.forgiveEarlyNotFound(ctx, err)
		}
		awaited := time.Since(began) < addedPatience && slices.ContainsFunc(added, func(name string) bool {
			return selectsName(selection, name) && !slices.ContainsFunc(listed, func(file listedFile) bool { return file.Name == name })
		})
		listed = slices.DeleteFunc(listed, func(file listedFile) bool { return !selects(selection, file) })
		sortFiles(listed)
		if before != nil && !awaited && slices.EqualFunc(before, listed, sameFile) {
			if len(listed) > maxFiles {
				return nil, invalid("names", fmt.Sprintf("select %d files, more than %d: narrow the patterns or the directories", len(listed), maxFiles))
			}
			return listed, nil
		}
		before = append([]listedFile{}, listed...)
		if time.Since(began) > settlePatience {
			return nil, referenceError(ctx, "executionId", unreadable("the files of execution %s still change", executionID))
		}
		if !pause(ctx, a.settle) {
			return nil, ended(ctx, context.Cause(ctx))
		}
	}
}

// outputType is the content type that the service says, if it is one, or nothing.
func outputType(file listedFile) string {
	if said := file.ContentType; isMediaType(said) {
		return said
	}
	return ""
}

func sameFile(x, y listedFile) bool {
	return x.ID == y.ID && x.Size == y.Size && x.UpdatedAt.Equal(y.UpdatedAt)
}
