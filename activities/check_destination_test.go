package activities_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/worker"
)

// checkDestination runs CheckDestination once.
func checkDestination(t *testing.T, options worker.Options, destination string) error {
	t.Helper()
	options.Connections = expectNoRequest(t)
	_, err := runActivity[asteroid.CheckDestinationResult](newEnv(t, options), asteroid.CheckDestinationName,
		asteroid.CheckDestinationInput{Destination: destination})
	return err
}

func TestCheckDestinationChecksDeepestFolderThatExists(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	require.NoError(t, errors.Join(
		os.MkdirAll(filepath.Join(root, "exists", "deep"), 0o700),
		os.Mkdir(filepath.Join(root, "read-only"), 0o500),
		os.Symlink("exists", filepath.Join(root, "link")),
		os.Symlink("/etc", filepath.Join(root, "out")),
		os.Symlink("nowhere", filepath.Join(root, "dangling")),
	))
	writeFile(t, root, "regular", "x")
	rows := map[string]string{
		"": "", "/": "", "/exists": "", "/exists/deep/er/and/deeper": "", "/new/folders": "", "/link/new": "", "/with%20blank": "",
		"/regular": invalidInput, "/regular/below": invalidInput, "/out": invalidInput, "/out/below": invalidInput,
		"/" + strings.Repeat("n", 300): invalidInput,
		"/dangling":                    unavailable, "/dangling/below": unavailable,
	}
	if os.Geteuid() != 0 { // root may write everywhere
		rows["/read-only"], rows["/read-only/below"] = unauthorized, unauthorized
	}
	before := readTree(t, root)
	for path, errorType := range rows {
		err := checkDestination(t, worker.Options{OutputRoots: []string{root}}, "file://"+root+path)
		if errorType == "" {
			require.NoError(t, err, path)
			continue
		}
		requireErrorType(t, errorType, err)
		require.ErrorContains(t, err, "destination")
		details, _ := asteroid.DetailsOf(err)
		require.Equal(t, "destination", details.Field)
	}
	require.Equal(t, before, readTree(t, root))
}

// checkingStore is a store that checks destinations.
type checkingStore struct {
	*memoryStore
	check func(ctx context.Context, uri *url.URL) error
}

func (s checkingStore) CheckDestination(ctx context.Context, uri *url.URL) error {
	return s.check(ctx, uri)
}

func TestCheckDestinationAsksStore(t *testing.T) {
	t.Parallel()
	for err, errorType := range map[error]string{
		nil: "", fs.ErrNotExist: notFound, fs.ErrPermission: unauthorized, fs.ErrInvalid: invalidInput, errors.New("down"): unavailable,
	} {
		store := checkingStore{newMemoryStore(), func(_ context.Context, uri *url.URL) error {
			if uri.String() != "mem://bucket/results?topsecret" {
				return fmt.Errorf("asked about %s", uri)
			}
			if err != nil {
				return fmt.Errorf("mem: %w", err)
			}
			return nil
		}}
		got := checkDestination(t, worker.Options{Stores: map[string]asteroid.Store{"mem": store}}, "mem://bucket/results?topsecret")
		if errorType == "" {
			require.NoError(t, got)
			continue
		}
		requireErrorType(t, errorType, got)
		require.NotContains(t, got.Error(), "topsecret")
		require.Equal(t, errorType != unavailable, applicationError(t, got).NonRetryable())
	}
	require.NoError(t, checkDestination(t, worker.Options{Stores: map[string]asteroid.Store{"mem": newMemoryStore()}}, "mem://bucket"))
}

func TestCheckDestinationEndsWhenStoreDoesNotAnswer(t *testing.T) {
	t.Parallel()
	store := checkingStore{newMemoryStore(), func(ctx context.Context, _ *url.URL) error {
		<-ctx.Done()
		return context.Cause(ctx)
	}}
	err := checkDestination(t, worker.Options{Stores: map[string]asteroid.Store{"mem": store}, RequestTimeout: 10 * time.Millisecond}, "mem://bucket")
	requireErrorType(t, unavailable, err)
}
