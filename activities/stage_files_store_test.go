package activities_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/worker"
)

func TestStageFilesReadsFromStore(t *testing.T) {
	t.Parallel()
	uploads, store := newUploadServer(t), newMemoryStore()
	store.put("mem://bucket/a%20b/x.csv?v=1", patternBytes(10_000), asteroid.FileInfo{Size: 10_000})
	store.put("mem://bucket/unknown", []byte("abc"), asteroid.FileInfo{Size: -1, Name: "named.pdf", ContentType: "text/plain"})
	staged, err := stageFiles(t, worker.Options{Connections: uploads.connections, Stores: map[string]asteroid.Store{"mem": store}},
		asteroid.FileRef{URI: "mem://bucket/a%20b/x.csv?v=1"}, asteroid.FileRef{URI: "MEM://bucket/unknown"})
	require.NoError(t, err)
	require.Equal(t, []string{"x.csv", "named.pdf"}, []string{staged.Files[0].Name, staged.Files[1].Name})
	require.Equal(t, []int64{10_000, 3}, []int64{staged.Files[0].Size, staged.Files[1].Size})
	require.Equal(t, []string{"text/csv", "text/plain"}, []string{staged.Files[0].ContentType, staged.Files[1].ContentType})
	for _, file := range uploads.complete() {
		require.Equal(t, file.name == "x.csv", file.length > 0)
	}
}

func TestStageFilesMapsStoreErrorsToErrorTypes(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		err       error
		errorType string
	}{
		"not there":   {fmt.Errorf("blob: %w", fs.ErrNotExist), notFound},
		"not allowed": {fmt.Errorf("blob: %w", fs.ErrPermission), unauthorized},
		"not valid":   {fmt.Errorf("blob: %w", fs.ErrInvalid), invalidInput},
		"other":       {errors.New("blob: connection lost"), unavailable},
		"own":         {temporal.NewApplicationErrorWithOptions("blob", asteroid.ErrorTypeNotFound, temporal.ApplicationErrorOptions{NonRetryable: true}), notFound},
	} {
		for _, at := range []string{"stat", "open", "read"} {
			t.Run(name+" at "+at, func(t *testing.T) {
				t.Parallel()
				uploads, store := newUploadServer(t), newMemoryStore()
				store.put("mem://b/x?topsecret", []byte("abc"), asteroid.FileInfo{Size: -1})
				store.fail = func(op string, _ *url.URL) error {
					if op == at {
						return row.err
					}
					return nil
				}
				_, err := stageFiles(t, worker.Options{Connections: uploads.connections, Stores: map[string]asteroid.Store{"mem": store}}, asteroid.FileRef{URI: "mem://b/x?topsecret"})
				requireErrorType(t, row.errorType, err)
				require.NotContains(t, err.Error(), "topsecret")
				application := applicationError(t, err)
				require.Equal(t, row.errorType != unavailable, application.NonRetryable())
				require.Empty(t, uploads.complete())
			})
		}
	}
}

func TestStageFilesUnknownSchemeErrorListsSchemes(t *testing.T) {
	t.Parallel()
	_, err := stageFiles(t, worker.Options{Connections: newUploadServer(t).connections, FileRoots: []string{t.TempDir()}, Stores: map[string]asteroid.Store{"mem": newMemoryStore()}},
		asteroid.FileRef{URI: "s3://bucket/x"})
	requireErrorType(t, invalidInput, err)
	require.ErrorContains(t, err, "this worker has asteroid-execution, data, file, https, mem")
}

func TestStageFilesSurvivesPanicOfStore(t *testing.T) {
	t.Parallel()
	store := newMemoryStore()
	store.fail = func(string, *url.URL) error { panic("out of range") }
	_, err := stageFiles(t, worker.Options{Connections: newUploadServer(t).connections, Stores: map[string]asteroid.Store{"mem": store}},
		asteroid.FileRef{URI: "data:,x"}, asteroid.FileRef{URI: "mem://b/x"})
	var panicked *temporal.PanicError
	require.ErrorAs(t, err, &panicked)
	require.True(t, strings.Contains(err.Error(), "out of range"), "%v", err)
}

func TestStageFilesRejectsFileThatChangesDuringUpload(t *testing.T) {
	t.Parallel()
	for name, now := range map[string]int{"grown": 10_001, "shrunk": 9_999} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			uploads, store := newUploadServer(t), newMemoryStore()
			store.put("mem://x/y", patternBytes(now), asteroid.FileInfo{Size: 10_000})
			_, err := stageFiles(t, worker.Options{Connections: uploads.connections, Stores: map[string]asteroid.Store{"mem": store}}, asteroid.FileRef{URI: "mem://x/y"})
			requireErrorType(t, unavailable, err)
			require.ErrorContains(t, err, "changed while it was being sent")
			require.Empty(t, uploads.complete())
		})
	}
}
