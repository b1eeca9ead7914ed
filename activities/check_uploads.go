package activities

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

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
// asteroid.StillRunning, which is retried: until the run has started, whatever its status says by
// then, and for two minutes more. Then the missing ones are the result.
//
// Errors: asteroid.StillRunning; asteroid.NotFound, retryable during the first minute; and those of
// the API.
func (a *Activities) CheckUploads(ctx context.Context, in asteroid.CheckUploadsInput) (*asteroid.CheckUploadsResult, error) {
	c, err := a.checkInput(in.Connection, in.Validate)
	if err != nil {
		return nil, err
	}
	uploads, err := c.Files(ctx, in.ExecutionID, client.UploadsDirectory)
	if err != nil {
		return nil, a.forgiveEarlyNotFound(ctx, err)
	}
	missing := missingFiles(in.Files, uploads)
	if len(missing) == 0 {
		return &asteroid.CheckUploadsResult{}, nil
	}
	execution, err := c.Execution(ctx, in.ExecutionID)
	if err != nil {
		return nil, a.forgiveEarlyNotFound(ctx, err)
	}
	if a.listsUploadsLater(ctx, execution) {
		return nil, stillRunning(fmt.Sprintf("execution %s is %s and does not list %s yet", in.ExecutionID, execution.Status, strings.Join(missing, ", ")),
			0, asteroid.ErrorDetails{ExecutionID: in.ExecutionID, Status: execution.Status})
	}
	return &asteroid.CheckUploadsResult{Missing: missing}, nil
}

// uploadsProgress is the state that one attempt of CheckUploads passes to the next.
type uploadsProgress struct {
	StartedSince time.Time `json:"startedSince,omitzero"` // the first attempt that saw the run started
}

// listsUploadsLater reports whether an execution may still list uploads that it lacks.
func (a *Activities) listsUploadsLater(ctx context.Context, e *asteroid.Execution) bool {
	pending := e.Status == asteroid.StatusStarting || e.Status.Class() == asteroid.ClassPending || e.Status.Class() == asteroid.ClassUnknown
	if pending && !e.Terminal() {
		return true
	}
	progress, _ := heartbeatDetails[uploadsProgress](ctx)
	if progress.StartedSince.IsZero() {
		progress.StartedSince = a.attemptTime(ctx)
		activity.RecordHeartbeat(ctx, progress)
	}
	return a.attemptTime(ctx).Sub(progress.StartedSince) < listingPatience
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
