package activities

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/activity"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/client"
)

// CheckUploads checks whether an execution has the files that were staged for it
// (https://docs.asteroid.ai/api-reference/files/get-execution-files). The API does not say whether
// the service refuses a staged file that it has lost or starts the agent without it. A file counts
// as present when an upload has its name or, since the service may change names, its size.
//
// The service may list uploads late. While one is missing the activity fails with
// asteroid.StillRunning, which is retried, for two minutes; then the missing ones are the result.
//
// Errors: asteroid.StillRunning; asteroid.NotFound, retryable during the first minute; and those of
// the API.
func (a *Activities) CheckUploads(ctx context.Context, in asteroid.CheckUploadsInput) (*asteroid.CheckUploadsResult, error) {
	c, err := a.checkInput(in.Connection, in.Validate)
	if err != nil {
		return nil, err
	}
	listed, err := c.Files(ctx, in.ExecutionID)
	if err != nil {
		return nil, a.forgiveEarlyNotFound(ctx, err)
	}
	missing := missingFiles(in.Files, client.InDirectory(listed, client.UploadsDirectory))
	if len(missing) > 0 && a.now().Sub(activity.GetInfo(ctx).ScheduledTime) < listingPatience {
		return nil, stillRunning(fmt.Sprintf("execution %s does not list %s yet", in.ExecutionID, strings.Join(missing, ", ")),
			0, asteroid.ErrorDetails{ExecutionID: in.ExecutionID})
	}
	return &asteroid.CheckUploadsResult{Missing: missing}, nil
}

// missingFiles returns the names of the files without an upload of their own.
func missingFiles(files []asteroid.StagedFile, uploads []client.File) []string {
	uploads = slices.Clone(uploads)
	take := func(matches func(client.File) bool) bool {
		i := slices.IndexFunc(uploads, matches)
		if i >= 0 {
			uploads = slices.Delete(uploads, i, i+1)
		}
		return i >= 0
	}
	unmatched := slices.DeleteFunc(slices.Clone(files), func(f asteroid.StagedFile) bool {
		return take(func(u client.File) bool { return u.Name == f.Name })
	})
	var missing []string
	for _, f := range unmatched {
		if !take(func(u client.File) bool { return u.Size == f.Size }) {
			missing = append(missing, f.Name)
		}
	}
	return missing
}
