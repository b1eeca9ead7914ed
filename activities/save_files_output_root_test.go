package activities_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/worker"
)

func TestSaveFilesKeepsHostileNamesBelowDestination(t *testing.T) {
	t.Parallel()
	hostile := []string{
		"../../../escape", "..", ".", "/", "", "/etc/passwd", `..\..\escape`, `C:\windows\x`, "a/../../../b", "a\x00b", "a\nb", "a\x7fb", "\u202egnp.exe",
		"x", "X", "x", "x/y", "x/y/z", "X/y", "folder/x", "folder", "~root", "-rf", "con:stream", strings.Repeat("n", 5000), strings.Repeat("d/", 300) + "x",
		".asteroid-part-x-AAAAAAAAAAAAAAAA", ".ASTEROID-PART-x-AAAAAAAAAAAAAAAA", strings.Repeat("é", 400) + ".txt", "a." + strings.Repeat("e", 400), ". .", "...",
	}
	contents := map[string]string{}
	var files []string
	for i, name := range hostile {
		id := fmt.Sprint(i)
		contents[id] = "content " + id
		files = append(files, fileJSON(id, "downloads", "/downloads/"+name, name, len(contents[id])))
	}
	contents["up"] = "up"
	connections := (&executionFiles{
		listing: `{"directories":{"downloads":[` + strings.Join(files, ",") +
			`],"../../up":[` + fileJSON("up", "../../up", "/../../up/x", "x", 2) +
			`],"..":[` + fileJSON("up", "..", "/../x", "../x", 2) + `]}}`,
		serve: serveContents(contents),
	}).start(t)
	parent := t.TempDir()
	root := filepath.Join(parent, "root")
	require.NoError(t, os.Mkdir(root, 0o700))
	saved, err := newSaveFiles(t, connections, "e-1", root, asteroid.FileSelection{Directories: []string{"downloads", ".."}}).next()
	require.NoError(t, err)
	require.Len(t, saved.Files, len(hostile)+1)

	found := readTree(t, parent)
	require.Len(t, found, len(hostile)+1, "one file each")
	lower := map[string]bool{}
	var refs []asteroid.FileRef
	for path := range found {
		require.True(t, strings.HasPrefix(path, "root/e-1/"), path)
		require.NotRegexp(t, `[\x00-\x1f\x7f\\:]|(?i)/\.asteroid-part-`, path)
		lower[strings.ToLower(path)] = true
	}
	require.Len(t, lower, len(found), "unique where letter case does not count")
	for _, file := range saved.Files {
		refs = append(refs, file.FileRef)
	}
	staged, err := stageFiles(t, worker.Options{Connections: newUploadServer(t).connections, FileRoots: []string{root}}, refs...)
	require.NoError(t, err)
	for i, file := range staged.Files {
		require.Equal(t, saved.Files[i].Size, file.Size)
	}
}

func TestSaveFilesStaysInOutputRoot(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		prepare   func(root, outside string) error
		errorType string
	}{
		"destination": {func(root, outside string) error { return os.Symlink(outside, filepath.Join(root, "here")) }, invalidInput},
		"execution": {func(root, outside string) error {
			return errors.Join(os.Mkdir(filepath.Join(root, "here"), 0o700), os.Symlink(outside, filepath.Join(root, "here", "e-1")))
		}, invalidInput},
		"directory": {func(root, _ string) error {
			return errors.Join(os.MkdirAll(filepath.Join(root, "here", "e-1"), 0o700), os.Symlink("../../../outside", filepath.Join(root, "here", "e-1", "downloads")))
		}, invalidInput},
		"a file in the way": {func(root, _ string) error { return os.WriteFile(filepath.Join(root, "here"), nil, 0o600) }, invalidInput},
		"a directory in the way": {func(root, _ string) error {
			return os.MkdirAll(filepath.Join(root, "here", "e-1", "downloads", "x", "y"), 0o700)
		}, invalidInput},
		"the file itself": {func(root, outside string) error {
			return errors.Join(os.MkdirAll(filepath.Join(root, "here", "e-1", "downloads"), 0o700),
				os.Symlink(filepath.Join(outside, "secret"), filepath.Join(root, "here", "e-1", "downloads", "x")))
		}, ""}, // the symlink is replaced, not followed
		"a root that is gone": {func(root, _ string) error { return os.Remove(root) }, unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parent := t.TempDir()
			root, outside := filepath.Join(parent, "root"), filepath.Join(parent, "outside")
			require.NoError(t, errors.Join(os.Mkdir(root, 0o700), os.Mkdir(outside, 0o700)))
			writeFile(t, outside, "secret", "untouched")
			connections := (&executionFiles{
				listing: listDownloads(fileJSON("1", "downloads", "/downloads/x", "x", 3)),
				serve:   serveContents(map[string]string{"1": "one"}),
			}).start(t)
			env := newEnv(t, worker.Options{
				Connections: connections, OutputRoots: []string{root}, SettleInterval: time.Millisecond,
			})
			require.NoError(t, row.prepare(root, outside))
			_, err := runActivity[asteroid.SaveFilesResult](env, asteroid.SaveFilesName, asteroid.SaveFilesInput{ExecutionID: "e-1", Destination: "file://" + root + "/here"})
			if row.errorType == "" {
				require.NoError(t, err)
				require.Equal(t, "one", readTree(t, root)["here/e-1/downloads/x"])
			} else {
				requireErrorType(t, row.errorType, err)
			}
			require.Equal(t, map[string]string{"secret": "untouched"}, readTree(t, outside))
			if name != "a root that is gone" {
				for path := range readTree(t, root) {
					require.NotContains(t, path, ".asteroid-part-", "a leftover")
				}
			}
		})
	}
}

func TestSaveFilesReportsUnwritableDirectoryAsUnauthorized(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere")
	}
	api, _, id := newCompletedExecution(t, nil, writeDownload("x", []byte("y")))
	root := t.TempDir()
	require.NoError(t, os.Chmod(root, 0o500))
	requireErrorType(t, unauthorized, newSaveFiles(t, connect(api), id, root, asteroid.FileSelection{}).nextErr())
}
