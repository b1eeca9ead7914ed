package activities

import (
	"context"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/files"
	"github.com/temporal-asteroid/asteroid/internal/parallel"
)

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
func (a *Activities) ListFiles(ctx context.Context, in asteroid.ListFilesInput) (*asteroid.ListFilesResult, error) {
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
	result := &asteroid.ListFilesResult{Files: make([]asteroid.OutputFile, len(listed))}
	for i, file := range listed {
		result.Files[i] = asteroid.OutputFile{
			FileRef: asteroid.FileRef{
				URI: asteroid.ExecutionFileURI(in.ExecutionID, file.Directory, file.RelativePath()), Name: file.Name, ContentType: outputType(file),
			},
			Directory: file.Directory, Size: file.Size,
		}
	}
	return result, nil
}

func selects(s asteroid.FileSelection, file client.File) bool {
	if len(s.Directories) == 0 && file.Directory != "downloads" || len(s.Directories) > 0 && !slices.Contains(s.Directories, file.Directory) {
		return false
	}
	return selectsName(s, file.Name)
}

func selectsName(s asteroid.FileSelection, name string) bool {
	return len(s.Names) == 0 || slices.ContainsFunc(s.Names, func(pattern string) bool {
		matches, _ := path.Match(pattern, path.Base(name)) // checked before
		return matches
	})
}

// settled lists the selected files once two listings agree on them.
func (a *Activities) settled(ctx context.Context, c *client.Client, executionID string, selection asteroid.FileSelection) ([]client.File, error) {
	added, err := c.AddedFiles(ctx, executionID)
	if err != nil {
		return nil, a.forgiveEarlyNotFound(ctx, err)
	}
	var before []client.File
	for began := time.Now(); ; {
		listed, err := c.Files(ctx, executionID)
		if err != nil {
			return nil, a.forgiveEarlyNotFound(ctx, err)
		}
		awaited := time.Since(began) < addedPatience && slices.ContainsFunc(added, func(name string) bool {
			return selectsName(selection, name) && !slices.ContainsFunc(listed, func(file client.File) bool { return file.Name == name })
		})
		listed = slices.DeleteFunc(listed, func(file client.File) bool { return !selects(selection, file) })
		client.SortFiles(listed)
		if before != nil && !awaited && slices.EqualFunc(before, listed, sameFile) {
			if len(listed) > asteroid.MaxFiles {
				return nil, asteroid.NewInvalidInput("names", fmt.Sprintf("select %d files, more than %d: narrow the patterns or the directories", len(listed), asteroid.MaxFiles))
			}
			return listed, nil
		}
		before = append([]client.File{}, listed...)
		if time.Since(began) > settlePatience {
			return nil, referenceError(ctx, "executionId", files.Unavailable("the files of execution %s still change", executionID))
		}
		if !parallel.Sleep(ctx, a.settle) {
			return nil, activityError(ctx, context.Cause(ctx))
		}
	}
}

// outputType is the content type that the service says, if it is one, or nothing.
func outputType(file client.File) string {
	if said := file.ContentType; files.IsMediaType(said) {
		return said
	}
	return ""
}

func sameFile(x, y client.File) bool {
	return x.ID == y.ID && x.Size == y.Size && x.UpdatedAt.Equal(y.UpdatedAt)
}
