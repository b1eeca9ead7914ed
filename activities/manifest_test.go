package activities_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/budget"
	"github.com/temporal-asteroid/asteroid/worker"
)

// manyFiles is an execution, e-1, with files of one byte each in deep Cyrillic folders.
func manyFiles(n int) *executionFiles {
	folder := strings.Repeat("Отчёты за прошлый год/", 4)
	listed := make([]string, n)
	for i := range listed {
		name := fmt.Sprintf("отчёт-%05d.txt", i)
		listed[i] = fileJSON(fmt.Sprintf("id-%05d", i), "downloads", "/downloads/"+folder+name, name, 1)
	}
	return &executionFiles{listing: listDownloads(listed...), serve: func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("x")) }}
}

func TestManifestStandsForFilesTooManyForHistory(t *testing.T) {
	t.Parallel()
	for _, destination := range []string{"", "mem://results/runs", "file"} {
		t.Run(destination, func(t *testing.T) {
			t.Parallel()
			const n = 1200
			files, root := manyFiles(n), t.TempDir()
			options := worker.Options{
				Connections: files.start(t), SettleInterval: time.Millisecond, OutputRoots: []string{root}, FileRoots: []string{root},
				Stores: map[string]asteroid.Store{"mem": newMemoryStore()},
			}
			if destination == "file" {
				destination = "file://" + root
			}
			collect := func(selection asteroid.FileSelection) ([]asteroid.OutputFile, error) {
				env := newEnv(t, options)
				env.SetTestTimeout(time.Minute)
				if destination == "" {
					listed, err := runActivity[asteroid.ListFilesResult](env, asteroid.ListFilesName,
						asteroid.ListFilesInput{ExecutionID: "e-1", FileSelection: selection})
					if err != nil {
						return nil, err
					}
					return listed.Files, nil
				}
				saved, err := runActivity[asteroid.SaveFilesResult](env, asteroid.SaveFilesName,
					asteroid.SaveFilesInput{ExecutionID: "e-1", FileSelection: selection, Destination: destination})
				if err != nil {
					return nil, err
				}
				return saved.Files, nil
			}
			for _, names := range [][]string{nil, {"*-00*.txt"}} { // too many, and too long
				_, err := collect(asteroid.FileSelection{Names: names})
				requireErrorType(t, invalidInput, err)
				require.ErrorContains(t, err, "or set manifest")
			}
			few, err := collect(asteroid.FileSelection{Names: []string{"*-00000.txt"}, Manifest: true})
			require.NoError(t, err)
			require.Zero(t, few[0].Count)

			collected, err := collect(asteroid.FileSelection{Manifest: true})
			require.NoError(t, err)
			require.Len(t, collected, 1)
			require.EqualValues(t, []int64{n, n}, []int64{int64(collected[0].Count), collected[0].Size})
			encoded, err := json.Marshal(collected)
			require.NoError(t, err)
			require.Less(t, len(encoded), 2000)

			manifest := asteroid.References(collected)[0]
			_, err = stageFiles(t, options, manifest)
			requireErrorType(t, invalidInput, err)
			require.ErrorContains(t, err, "are 1200, more than 1000: pass parts of the manifest")
			staged, err := stageFiles(t, options, asteroid.FileRef{URI: "data:,own", Name: "own.txt"}, asteroid.ManifestPart(manifest, 1000, 500))
			require.NoError(t, err)
			require.Len(t, staged.Files, 201)
			names := map[string]bool{}
			for _, file := range staged.Files[1:] {
				require.EqualValues(t, 1, file.Size)
				names[file.Identity] = true
			}
			require.Len(t, names, 200)
			require.Less(t, len(encoded), budget.FileList)
		})
	}
}

func TestManifestIsRefusedWhenItsFilesHaveChanged(t *testing.T) {
	t.Parallel()
	files := manyFiles(1001)
	options := worker.Options{Connections: files.start(t), SettleInterval: time.Millisecond}
	listed, err := listFiles(t, options.Connections, "e-1", asteroid.FileSelection{Manifest: true})
	require.NoError(t, err)
	files.listing = manyFiles(1000).listing
	stage := &attempts[asteroid.StageFilesResult]{
		t: t, name: asteroid.StageFilesName, options: options,
		in: asteroid.StageFilesInput{Files: []asteroid.FileRef{asteroid.ManifestPart(listed.Files[0].FileRef, 0, 1)}},
	}
	requireErrorType(t, unavailable, stage.nextErr()) // the service may list late
	stage.attempt = 30
	err = stage.nextErr()
	requireErrorType(t, invalidInput, err)
	require.ErrorContains(t, err, "files[0].uri")
	require.ErrorContains(t, err, "have changed since")
}

func TestManifestThatNobodyReturnedIsRefused(t *testing.T) {
	t.Parallel()
	store := newMemoryStore()
	store.put("mem://b/list", []byte("no list"), asteroid.FileInfo{Size: 7})
	options := worker.Options{Connections: expectNoRequest(t), Stores: map[string]asteroid.Store{"mem": store}}
	for _, uri := range []string{
		"asteroid-manifest:", "asteroid-manifest:?sha256=", "asteroid-manifest:%zz?sha256=", "asteroid-manifest:data%3A%2C%5B%5D?sha256=x",
		"asteroid-manifest:asteroid-execution%3A%2F%2Fe-1%2Fdownloads%2Flist?sha256=x", "asteroid-manifest:asteroid-execution%3A%2F%2F..%2Ffiles?sha256=x",
		"asteroid-manifest:asteroid-manifest%3Ax?sha256=x", "asteroid-manifest:file%3A%2F%2F%2Fetc%2Fpasswd?sha256=x", "asteroid-manifest:ftp%3A%2F%2Fx?sha256=x",
		asteroid.ManifestURI("mem://b/list", sha256Hex([]byte("no list"))),
	} {
		_, err := stageFiles(t, options, asteroid.FileRef{URI: uri})
		requireErrorType(t, invalidInput, err)
		require.ErrorContains(t, err, "files[0].uri", uri)
	}
	_, err := stageFiles(t, options, asteroid.FileRef{URI: asteroid.ManifestURI("mem://b/none", "x")})
	requireErrorType(t, notFound, err)
}
