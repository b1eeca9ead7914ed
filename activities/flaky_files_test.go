package activities_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/worker"
)

func TestStageFilesSendsOthersWhenOneFileFails(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		op        string // that fails
		err       error
		errorType string
		sent      int
	}{
		"not found out now": {"stat", errors.New("down"), unavailable, 20},
		"not opened now":    {"open", errors.New("down"), unavailable, 20},
		"not read now":      {"read", errors.New("down"), unavailable, 20},
		"absent":            {"stat", fs.ErrNotExist, notFound, 0},
		"no permission":     {"stat", fs.ErrPermission, unauthorized, 0},
		"a wrong reference": {"stat", fs.ErrInvalid, invalidInput, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service, store := newUploadServer(t), newMemoryStore()
			var mended atomic.Bool
			store.fail = func(op string, uri *url.URL) error {
				if op == row.op && uri.Path == "/flaky" && !mended.Load() {
					return row.err
				}
				return nil
			}
			store.put("mem://b/flaky", []byte("flaky"), asteroid.FileInfo{Size: 5})
			refs := []asteroid.FileRef{{URI: "mem://b/flaky", Name: "same"}}
			for i := range 20 {
				uri := fmt.Sprintf("mem://b/%d", i)
				store.put(uri, []byte("x"), asteroid.FileInfo{Size: 1})
				refs = append(refs, asteroid.FileRef{URI: uri, Name: "same"})
			}
			stage := &attempts[asteroid.StageFilesResult]{
				t: t, name: asteroid.StageFilesName, in: asteroid.StageFilesInput{Files: refs},
				options: worker.Options{Connections: service.connections, Stores: map[string]asteroid.Store{"mem": store}},
			}
			requireErrorType(t, row.errorType, stage.nextErr())
			require.Len(t, service.complete(), row.sent)
			if row.sent == 0 {
				return
			}
			mended.Store(true)
			result, err := stage.next()
			require.NoError(t, err)
			names := map[string]bool{}
			for _, file := range result.Files {
				names[file.Name] = true
			}
			require.Len(t, names, 21, "unique names, also of files that were found later")
		})
	}
}

func TestStageFilesStopsWhenManyFilesFail(t *testing.T) {
	t.Parallel()
	service, store := newUploadServer(t), newMemoryStore()
	var opened atomic.Int64
	store.fail = func(op string, _ *url.URL) error {
		if op == "open" {
			opened.Add(1)
			return errors.New("down")
		}
		return nil
	}
	var refs []asteroid.FileRef
	for i := range 200 {
		uri := fmt.Sprintf("mem://b/%d", i)
		store.put(uri, []byte("x"), asteroid.FileInfo{Size: 1})
		refs = append(refs, asteroid.FileRef{URI: uri})
	}
	_, err := stageFiles(t, worker.Options{Connections: service.connections, Stores: map[string]asteroid.Store{"mem": store}}, refs...)
	requireErrorType(t, unavailable, err)
	require.Less(t, opened.Load(), int64(30))
}

func TestSaveFilesSavesOthersWhenOneFileFails(t *testing.T) {
	t.Parallel()
	listed := []string{fileJSON("flaky", "downloads", "/downloads/a", "a", 5)}
	contents := map[string]string{"flaky": "flaky"}
	for i := range 20 {
		id := fmt.Sprint(i)
		contents[id] = "x"
		listed = append(listed, fileJSON(id, "downloads", "/downloads/b"+id, "b"+id, 1))
	}
	for status, saved := range map[int]int{http.StatusServiceUnavailable: 20, http.StatusTooManyRequests: 20} {
		root := t.TempDir()
		service := &executionFiles{listing: listDownloads(listed...), serve: func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/flaky" {
				w.Header().Set("Retry-After", "1") // leaves the retry to the next attempt
				w.WriteHeader(status)
				return
			}
			serveContents(contents)(w, r)
		}}
		save := newSaveFiles(t, service.start(t), "e-1", root, asteroid.FileSelection{})
		requireErrorType(t, unavailable, save.nextErr())
		require.Len(t, readTree(t, root), saved)
		service.serve = serveContents(contents)
		result, err := save.next()
		require.NoError(t, err)
		require.Len(t, result.Files, 21)
		require.Len(t, readTree(t, root), 21)
	}
}

func TestSaveFilesListsAgainWhenFileWasReplaced(t *testing.T) {
	t.Parallel()
	old, other := fileJSON("1", "downloads", "/downloads/a", "a", 3), fileJSON("2", "downloads", "/downloads/b", "b", 3)
	var served atomic.Int64
	for name, answer := range map[string]func(w http.ResponseWriter){
		"not found": func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) },
		"gone":      func(w http.ResponseWriter) { w.WriteHeader(http.StatusGone) },
	} {
		root := t.TempDir()
		service := &executionFiles{listing: listDownloads(old, other)}
		service.serve = func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/1": // the agent has replaced it
				service.listing = listDownloads(fileJSON("3", "downloads", "/downloads/a", "a", 5), other)
				answer(w)
			case "/2":
				served.Add(1)
				_, _ = w.Write([]byte("two"))
			default:
				_, _ = w.Write([]byte("three"))
			}
		}
		served.Store(0)
		saved, err := newSaveFiles(t, service.start(t), "e-1", root, asteroid.FileSelection{}).next()
		require.NoError(t, err, name)
		require.Len(t, saved.Files, 2)
		require.Equal(t, map[string]string{"e-1/downloads/a": "three", "e-1/downloads/b": "two"}, readTree(t, root))
		require.EqualValues(t, 1, served.Load(), "saved once")
	}
}

func TestSaveFilesBoundsListingsOfFileThatStaysGone(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	service := &executionFiles{
		listing: listDownloads(fileJSON("1", "downloads", "/downloads/a", "a", 3)),
		serve:   func(w http.ResponseWriter, _ *http.Request) { requests.Add(1); w.WriteHeader(http.StatusNotFound) },
	}
	save := newSaveFiles(t, service.start(t), "e-1", t.TempDir(), asteroid.FileSelection{})
	err := save.nextErr()
	requireErrorType(t, unavailable, err)
	require.False(t, applicationError(t, err).NonRetryable())
	require.EqualValues(t, 3, requests.Load())

	save.startDelay, save.attempt = 10*time.Minute, 5
	err = save.nextErr()
	requireErrorType(t, notFound, err)
	require.True(t, applicationError(t, err).NonRetryable())
}

func TestStageFilesListsAgainWhenExecutionFileWasReplaced(t *testing.T) {
	t.Parallel()
	service := &executionFiles{listing: listDownloads(fileJSON("1", "downloads", "/downloads/a", "a", 3))}
	service.serve = func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/1" {
			service.listing = listDownloads(fileJSON("3", "downloads", "/downloads/a", "a", 5))
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = w.Write([]byte("three"))
	}
	stage := &attempts[asteroid.StageFilesResult]{
		t: t, name: asteroid.StageFilesName, in: asteroid.StageFilesInput{Files: []asteroid.FileRef{{URI: "asteroid-execution://e-1/downloads/a"}}},
		options: worker.Options{Connections: service.start(t)},
	}
	requireErrorType(t, unavailable, stage.nextErr())
	staged, err := stage.next()
	require.NoError(t, err)
	require.EqualValues(t, 5, staged.Files[0].Size)
}
