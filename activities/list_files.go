package activities

import (
	"context"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/bound"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/files"
	"github.com/temporal-asteroid/asteroid/internal/parallel"
)

const (
	// changingPatience bounds how long a listing may keep changing.
	changingPatience = 2 * time.Minute
	// addedPatience bounds the wait for a file that the run's log reports as added. The agent may
	// have removed it again.
	addedPatience = 30 * time.Second
)

// ListFiles returns files of an execution
// (https://docs.asteroid.ai/api-reference/files/get-execution-files) as references for another
// agent. Their content stays at the service until the files of that agent are staged.
//
// The service copies files from an agent's machine in the background, so a listing right after the
// end of a run may be incomplete. The activity lists until two listings in a row agree,
// Options.SettleInterval apart. It also waits up to 30 seconds for files that the run's log reports
// as added. For a run that is in progress the result is a snapshot.
//
// With FileSelection.Manifest, a selection of more than a thousand files or of more than 384 KiB of
// names is one manifest (asteroid.ManifestScheme). Without it, it is an asteroid.InvalidInput.
//
// Errors: asteroid.InvalidInput for an invalid pattern, or a selection that is too large;
// asteroid.Unavailable, retried, when the listing still changes after two minutes;
// asteroid.NotFound, retryable during the first minute; and those of the API.
func (a *Activities) ListFiles(ctx context.Context, in asteroid.ListFilesInput) (*asteroid.ListFilesResult, error) {
	c, err := a.checkInput(in.Connection, in.Validate)
	if err != nil {
		return nil, err
	}
	listed, result, err := a.selectedFiles(ctx, c, in.ExecutionID, in.FileSelection)
	if err != nil {
		return nil, err
	}
	outputs := outputsOf(in.ExecutionID, listed, result)
	if in.Manifest && !fits(outputs) {
		manifest, list, err := newManifest(executionListURI(in.ExecutionID, in.FileSelection), outputs)
		if err == nil {
			err = bound.Manifest(len(outputs), len(list))
		}
		if err != nil {
			return nil, err
		}
		return &asteroid.ListFilesResult{Files: []asteroid.OutputFile{manifest}}, nil
	}
	if err := bound.Selection(outputs); err != nil {
		return nil, err
	}
	return &asteroid.ListFilesResult{Files: outputs}, nil
}

// outputsOf returns files of an execution as references. result is nil unless it is among them.
func outputsOf(executionID string, listed []client.File, result *resultFile) []asteroid.OutputFile {
	outputs := make([]asteroid.OutputFile, len(listed))
	for i, file := range listed {
		outputs[i] = asteroid.OutputFile{
			FileRef: asteroid.FileRef{
				URI:  asteroid.ExecutionFileURI(executionID, file.Directory, file.RelativePath()),
				Name: outputName(file), ContentType: mediaType(file),
			},
			Directory: file.Directory, Size: file.Size,
		}
		if file.ID == resultFileID {
			outputs[i].URI, outputs[i].SHA256 = asteroid.ExecutionResultURI(executionID), result.sha256
		}
	}
	return outputs
}

// selectedFiles returns the selected files, the execution's result first. result is nil unless it
// is selected and exists.
func (a *Activities) selectedFiles(ctx context.Context, c *client.Client, executionID string,
	selection asteroid.FileSelection) (listed []client.File, result *resultFile, err error) {
	if selection.Result {
		if result, _, err = findResult(ctx, c, executionID); err != nil {
			return nil, nil, a.forgiveEarlyNotFound(ctx, err)
		}
	}
	if listed, err = a.stableListing(ctx, c, executionID, selection); err != nil {
		return nil, nil, err
	}
	if result != nil {
		listed = slices.Insert(listed, 0, result.file())
	}
	return listed, result, checkSelected(len(listed), selection)
}

// checkSelected refuses a selection of too many files.
func checkSelected(count int, selection asteroid.FileSelection) error {
	most, advice := mostFiles(selection), "narrow the patterns or the directories"
	if count <= most {
		return nil
	}
	if !selection.Manifest {
		advice += ", or set manifest"
	}
	return asteroid.NewInvalidInput("names", fmt.Sprintf("select %d files, more than %d: %s", count, most, advice))
}

// mostFiles returns how many files a selection may have.
func mostFiles(selection asteroid.FileSelection) int {
	if selection.Manifest {
		return asteroid.MaxManifestFiles
	}
	return asteroid.MaxFiles
}

// stableListing returns the selected files once two listings in a row agree on them.
func (a *Activities) stableListing(ctx context.Context, c *client.Client, executionID string,
	selection asteroid.FileSelection) ([]client.File, error) {
	added, err := c.AddedFiles(ctx, executionID)
	if err != nil {
		return nil, a.forgiveEarlyNotFound(ctx, err)
	}
	var before []client.File
	for began := time.Now(); ; {
		selected, missing, err := selectFiles(ctx, c, executionID, selection, added)
		if err != nil {
			return nil, a.forgiveEarlyNotFound(ctx, err)
		}
		waiting := missing && time.Since(began) < addedPatience
		if before != nil && !waiting && slices.EqualFunc(before, selected, sameFile) {
			return selected, nil
		}
		before = selected
		if time.Since(began) > changingPatience {
			return nil, referenceError(ctx, "executionId",
				files.Unavailable("the listing of execution %s's files is still changing", executionID))
		}
		if !parallel.Sleep(ctx, a.settleInterval) {
			return nil, activityError(ctx, context.Cause(ctx))
		}
	}
}

// selectFiles lists the selected files once, sorted. missing reports whether a selected file is not
// listed whose name is among added. Its error about too many files ends the activity.
func selectFiles(ctx context.Context, c *client.Client, executionID string, selection asteroid.FileSelection, added []string) (
	selected []client.File, missing bool, err error) {
	awaited := map[string]bool{}
	for _, name := range added {
		if selectsName(selection, name) {
			awaited[name] = true
		}
	}
	count := 0
	selected = []client.File{}
	err = c.EachFile(ctx, executionID, func(file client.File) {
		delete(awaited, file.Name)
		if !selects(selection, file) {
			return
		}
		if count++; count <= mostFiles(selection) {
			selected = append(selected, file)
		}
	})
	if err == nil {
		err = checkSelected(count, selection)
	}
	client.SortFiles(selected)
	return selected, len(awaited) > 0, err
}

func selects(s asteroid.FileSelection, file client.File) bool {
	directories := s.Directories
	if len(directories) == 0 {
		directories = []string{"downloads"}
	}
	return slices.Contains(directories, file.Directory) && selectsName(s, file.Name)
}

func selectsName(s asteroid.FileSelection, name string) bool {
	return len(s.Names) == 0 || slices.ContainsFunc(s.Names, func(pattern string) bool {
		matches, _ := path.Match(pattern, path.Base(name)) // Validate has checked the pattern
		return matches
	})
}

func sameFile(x, y client.File) bool {
	return x.ID == y.ID && x.Size == y.Size && x.UpdatedAt.Equal(y.UpdatedAt)
}

// mediaType returns the content type of a file, or nothing if it is not a media type.
func mediaType(file client.File) string {
	if files.IsMediaType(file.ContentType) {
		return file.ContentType
	}
	return ""
}
