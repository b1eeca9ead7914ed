package activities

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/client"
)

// uploadsPatience is how long the service may take to list a run's uploads.
const uploadsPatience = 2 * time.Minute

// CheckUploads looks whether an agent's run has the files that were staged for it
// (https://docs.asteroid.ai/api-reference/files/get-execution-files): whether the service refuses a staged file that it
// has lost, or starts the agent without it, is not published. A file counts as there when an upload has its name, or, since
// the service may tidy names, its size.
//
// Uploads may be listed late. While one is missing the activity fails with asteroid.StillRunning, which is retried, for
// two minutes; then the missing ones are the result.
//
// Errors: asteroid.StillRunning; asteroid.NotFound, retryable during the first minute; and those of the API.
func (a *Activities) CheckUploads(ctx context.Context, in asteroid.CheckUploadsInput) (*asteroid.CheckUploadsResult, error) {
	c, err := a.connection(in.Connection)
	if err != nil {
		return nil, err
	}
	if err := in.Validate(); err != nil {
		return nil, err
	}
	listed, err := c.Files(ctx, in.ExecutionID)
	if err != nil {
		return nil, a.forgiveEarlyNotFound(ctx, err)
	}
	missing := missingFiles(in.Files, client.InDirectory(listed, client.UploadsDirectory))
	if len(missing) > 0 && a.now().Sub(activity.GetInfo(ctx).ScheduledTime) < uploadsPatience {
		return nil, temporal.NewApplicationErrorWithOptions(
			fmt.Sprintf("execution %s does not list %s yet", in.ExecutionID, strings.Join(missing, ", ")), asteroid.ErrorTypeStillRunning,
			temporal.ApplicationErrorOptions{
				Category: temporal.ApplicationErrorCategoryBenign,
				Details:  []any{asteroid.ErrorDetails{ExecutionID: in.ExecutionID}},
			})
	}
	return &asteroid.CheckUploadsResult{Missing: missing}, nil
}

// missingFiles returns the names of the files that have no upload of their own.
func missingFiles(files []asteroid.StagedFile, uploads []client.File) []string {
	uploads = slices.Clone(uploads)
	take := func(is func(client.File) bool) bool {
		i := slices.IndexFunc(uploads, is)
		if i >= 0 {
			uploads = slices.Delete(uploads, i, i+1)
		}
		return i >= 0
	}
	renamed := slices.DeleteFunc(slices.Clone(files), func(f asteroid.StagedFile) bool {
		return take(func(u client.File) bool { return u.Name == f.Name })
	})
	var missing []string
	for _, f := range renamed {
		if !take(func(u client.File) bool { return u.Size == f.Size }) {
			missing = append(missing, f.Name)
		}
	}
	return missing
}
