package activities

import (
	"context"

	"github.com/temporal-asteroid/asteroid"
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
// Errors: asteroid.InvalidInput for an invalid pattern, or a selection of more than a thousand
// files; asteroid.Unavailable, retried, when the listing still changes after two minutes;
// asteroid.NotFound, retryable during the first minute; and those of the API.
func (a *Activities) ListFiles(ctx context.Context, in asteroid.ListFilesInput) (*asteroid.ListFilesResult, error) {
	c, err := a.checkInput(in.Connection, in.Validate)
	if err != nil {
		return nil, err
	}
	listed, err := a.stableListing(ctx, c, in.ExecutionID, in.FileSelection)
	if err != nil {
		return nil, err
	}
	result := &asteroid.ListFilesResult{Files: make([]asteroid.OutputFile, len(listed))}
	for i, file := range listed {
		result.Files[i] = asteroid.OutputFile{
			FileRef: asteroid.FileRef{
				URI:  asteroid.ExecutionFileURI(in.ExecutionID, file.Directory, file.RelativePath()),
				Name: file.Name, ContentType: mediaType(file),
			},
			Directory: file.Directory, Size: file.Size,
		}
	}
	return result, nil
}
