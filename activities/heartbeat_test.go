package activities_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

func TestAttachFilesLooksUpFilesAfterUnreadableProgress(t *testing.T) {
	t.Parallel()
	for _, details := range []map[string]any{{"done": 7}, {"files": "one"}, {"sending": map[string]any{}}} {
		api, _, id, attach := newAttachFiles(t, nil, asteroid.FileRef{URI: "data:,a", Name: "a.txt"})
		attach.crash()
		attach.details = &details
		attached, err := attach.next()
		require.NoError(t, err)
		require.True(t, attached.Files[0].AlreadySent)
		require.Equal(t, []string{"a.txt"}, attachedNames(api, id))
	}
}

// A heartbeat announces several small files. Where their worker died before it sent them, they are
// sent after the grace period.
func TestAttachFilesSendsAnnouncedFilesOfDeadWorkerOnce(t *testing.T) {
	t.Parallel()
	references := []asteroid.FileRef{{URI: "data:,a", Name: "a"}, {URI: "data:,b", Name: "b"}, {URI: "data:,c", Name: "c"}}
	api, clock, id, attach := newAttachFiles(t, nil, references...)
	api.Inject(uploadOperation, testsuite.Fault{}, 1)
	api.Inject(uploadOperation, testsuite.Answer(http.StatusBadGateway, ""), 2)
	attach.crash()
	attach.details = &map[string]any{"sending": []string{"0", "1", "2"}}
	requireErrorType(t, asteroid.ErrorTypeStillRunning, attach.nextErr())
	clock.Advance(30 * time.Second)
	attached, err := attach.next()
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "c"}, attachedNames(api, id))
	require.True(t, attached.Files[0].AlreadySent)
}

// An attempt that looks for files must not leave a heartbeat that knows nothing of them.
func TestAttachFilesKeepsLookingAfterFailedLookup(t *testing.T) {
	t.Parallel()
	api, _, id, attach := newAttachFiles(t, nil, asteroid.FileRef{URI: "data:,a", Name: "a.txt"})
	attach.crash()
	api.Inject("ExecutionFilesGet", testsuite.Answer(500, ""), 1)
	requireErrorType(t, unavailable, attach.nextErr())
	require.Equal(t, []any{"0"}, (*attach.details)["sending"])
	attached, err := attach.next()
	require.NoError(t, err)
	require.True(t, attached.Files[0].AlreadySent)
	require.Equal(t, []string{"a.txt"}, attachedNames(api, id))
}
