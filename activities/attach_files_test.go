package activities_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	sdkworker "go.temporal.io/sdk/worker"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/clienttest"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
)

// newAttachFiles returns an execution that works for two hours and the attempts to attach files to
// it, through a hook unless it is nil.
func newAttachFiles(
	t *testing.T, through requestHook, refs ...asteroid.FileRef,
) (*testsuite.API, *clienttest.Clock, string, *attempts[asteroid.AttachFilesResult]) {
	t.Helper()
	clock := clienttest.NewClock()
	api := testsuite.NewAPI(t, testsuite.WithClock(clock.Now))
	id := executeSteps(t, api, worker.Options{Connections: connect(api)}, testsuite.Work(2*time.Hour), testsuite.Complete("success", "Done.", nil))
	connections := connect(api)
	if through != nil {
		connections = connectThrough(api, through)
	}
	return api, clock, id, &attempts[asteroid.AttachFilesResult]{
		t: t, name: asteroid.AttachFilesName, in: asteroid.AttachFilesInput{ExecutionID: id, Files: refs},
		options: worker.Options{Connections: connections, Now: clock.Now},
	}
}

const uploadOperation = "ExecutionContextFilesUpload"

// attachedNames returns the names of the files that an execution has received.
func attachedNames(api *testsuite.API, id string) []string {
	execution, _ := api.Execution(id)
	var names []string
	for _, file := range execution.Files {
		names = append(names, file.Name)
	}
	return names
}

func TestAttachFilesUploadsToRunningExecution(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("0123456789", 100_000)
	api, _, id, attach := newAttachFiles(t, nil,
		asteroid.FileRef{URI: "data:text/csv,a%0A1", Name: "a.csv"}, asteroid.FileRef{URI: "data:," + big, Name: "a.csv"}, asteroid.FileRef{URI: "data:,"})
	attached, err := attach.next()
	require.NoError(t, err)
	require.Equal(t, []asteroid.AttachedFile{
		{Name: "a.csv", Size: 3, ContentType: "text/csv"}, {Name: "a-2.csv", Size: 1_000_000, ContentType: "text/plain;charset=US-ASCII"},
		{Name: "file", ContentType: "text/plain;charset=US-ASCII"},
	}, attached.Files)
	execution, _ := api.Execution(id)
	require.Equal(t, []string{"a.csv", "a-2.csv", "file"}, attachedNames(api, id))
	require.Equal(t, sha256Hex([]byte(big)), execution.Files[1].SHA256)
	require.Equal(t, 3, countRequests(api, uploadOperation))
	require.Zero(t, countRequests(api, "ExecutionFilesGet"), "a first attempt has nothing to look up")
}

func TestAttachFilesRejectsWhatStageFilesRejects(t *testing.T) {
	t.Parallel()
	many := make([]asteroid.FileRef, 1001)
	api, _, id, attach := newAttachFiles(t, nil)
	attach.options.MaxUploadBytes = 10
	before := len(api.Requests())
	for _, in := range []asteroid.AttachFilesInput{
		{ExecutionID: id}, {ExecutionID: id, Files: many}, {ExecutionID: id, Files: []asteroid.FileRef{{URI: "file:///etc/passwd"}}},
		{ExecutionID: id, Files: []asteroid.FileRef{{URI: "data:,01234567890"}}}, {Files: []asteroid.FileRef{{URI: "data:,x"}}},
		{ExecutionID: "../x", Files: []asteroid.FileRef{{URI: "data:,x"}}}, {ExecutionID: id, Connection: "other", Files: []asteroid.FileRef{{URI: "data:,x"}}},
	} {
		attach.in = in
		requireErrorType(t, invalidInput, attach.nextErr())
	}
	require.Len(t, api.Requests(), before)
}

func TestAttachFilesDoesNotResendFileOfLostResponse(t *testing.T) {
	t.Parallel()
	api, _, id, attach := newAttachFiles(t, nil,
		asteroid.FileRef{URI: "data:,a", Name: "a.txt"}, asteroid.FileRef{URI: "data:,bb", Name: "b.txt"}, asteroid.FileRef{URI: "data:,c", Name: "c.txt"})
	api.Inject(uploadOperation, testsuite.Fault{}, 1)
	api.Inject(uploadOperation, testsuite.LoseResponse(), 1)
	requireErrorType(t, unavailable, attach.nextErr())
	require.Equal(t, []string{"a.txt", "b.txt", "c.txt"}, attachedNames(api, id), "the failure of one does not stop the others")
	attached, err := attach.next()
	require.NoError(t, err)
	require.Equal(t, []string{"a.txt", "b.txt", "c.txt"}, attachedNames(api, id))
	require.Equal(t, []asteroid.AttachedFile{
		{Name: "a.txt", Size: 1, ContentType: "text/plain;charset=US-ASCII"}, {Name: "b.txt", Size: 2, ContentType: "text/plain;charset=US-ASCII", AlreadySent: true},
		{Name: "c.txt", Size: 1, ContentType: "text/plain;charset=US-ASCII"},
	}, attached.Files)
}

func TestAttachFilesResendsUnsentFileAtOnce(t *testing.T) {
	t.Parallel()
	var attempts atomic.Int32
	api, _, id, attach := newAttachFiles(t, func(r *http.Request) error {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/context-files") && attempts.Add(1) == 1 {
			return &net.OpError{Op: "dial", Err: errors.New("refused")}
		}
		return nil
	}, asteroid.FileRef{URI: "data:,a"})
	requireErrorType(t, unavailable, attach.nextErr())
	_, err := attach.next()
	require.NoError(t, err)
	require.Equal(t, []string{"file"}, attachedNames(api, id))
	require.Zero(t, countRequests(api, "ExecutionFilesGet"), "there was nothing to look up")
}

func TestAttachFilesResendsRefusedFileAtOnce(t *testing.T) {
	t.Parallel()
	api, _, id, attach := newAttachFiles(t, nil, asteroid.FileRef{URI: "data:,a"})
	api.Inject(uploadOperation, testsuite.Answer(http.StatusTooManyRequests, ""), 1)
	require.True(t, asteroid.IsRateLimited(attach.nextErr()))
	_, err := attach.next()
	require.NoError(t, err)
	require.Equal(t, []string{"file"}, attachedNames(api, id))
	require.Zero(t, countRequests(api, "ExecutionFilesGet"))
}

func TestAttachFilesNeedsNoListingWhenNothingWasSent(t *testing.T) {
	t.Parallel()
	for _, failsAt := range []string{"stat", "open"} {
		t.Run(failsAt, func(t *testing.T) {
			t.Parallel()
			store, failed := newMemoryStore(), atomic.Bool{}
			store.put("mem://b/x", []byte("abc"), asteroid.FileInfo{Size: 3})
			store.fail = func(op string, _ *url.URL) error {
				if op == failsAt && failed.CompareAndSwap(false, true) {
					return errors.New("not now")
				}
				return nil
			}
			api, _, id, attach := newAttachFiles(t, nil, asteroid.FileRef{URI: "mem://b/x"})
			attach.options.Stores = map[string]asteroid.Store{"mem": store}
			requireErrorType(t, unavailable, attach.nextErr())
			_, err := attach.next()
			require.NoError(t, err)
			require.Equal(t, []string{"x"}, attachedNames(api, id))
			require.Zero(t, countRequests(api, "ExecutionFilesGet"))
		})
	}
}

// Two responses are lost, and a file between them cannot be read. The next attempt looks both up.
func TestAttachFilesSendsOthersWhenSomeFail(t *testing.T) {
	t.Parallel()
	store, mended := newMemoryStore(), atomic.Bool{}
	store.put("mem://b/flaky", []byte("flaky"), asteroid.FileInfo{Size: 5})
	store.fail = func(op string, uri *url.URL) error {
		if op == "open" && uri.Path == "/flaky" && !mended.Load() {
			return errors.New("not now")
		}
		return nil
	}
	api, _, id, attach := newAttachFiles(t, nil, asteroid.FileRef{URI: "data:,a", Name: "a.txt"}, asteroid.FileRef{URI: "mem://b/flaky", Name: "b.txt"},
		asteroid.FileRef{URI: "data:,c", Name: "c.txt"}, asteroid.FileRef{URI: "data:,d", Name: "d.txt"})
	attach.options.Stores = map[string]asteroid.Store{"mem": store}
	api.Inject(uploadOperation, testsuite.LoseResponse(), 2)
	requireErrorType(t, unavailable, attach.nextErr())
	require.Equal(t, []string{"a.txt", "c.txt", "d.txt"}, attachedNames(api, id))
	mended.Store(true)
	attached, err := attach.next()
	require.NoError(t, err)
	require.Equal(t, []string{"a.txt", "c.txt", "d.txt", "b.txt"}, attachedNames(api, id), "each once")
	var already []string
	for _, file := range attached.Files {
		if file.AlreadySent {
			already = append(already, file.Name)
		}
	}
	require.Equal(t, []string{"a.txt", "c.txt"}, already)
}

func TestAttachFilesFindsUploadsOfDeadWorker(t *testing.T) {
	t.Parallel()
	api, clock, id, attach := newAttachFiles(t, nil, asteroid.FileRef{URI: "data:,a", Name: "a.txt"}, asteroid.FileRef{URI: "data:,b", Name: "b.txt"})
	api.Inject(uploadOperation, testsuite.Fault{}, 1)
	api.Inject(uploadOperation, testsuite.Answer(http.StatusBadGateway, ""), 1)
	attach.crash()
	require.Equal(t, []string{"a.txt"}, attachedNames(api, id))
	requireErrorType(t, asteroid.ErrorTypeStillRunning, attach.nextErr()) // a.txt is listed, b.txt may still be
	clock.Advance(30 * time.Second)
	attached, err := attach.next()
	require.NoError(t, err)
	require.Equal(t, []string{"a.txt", "b.txt"}, attachedNames(api, id))
	require.True(t, attached.Files[0].AlreadySent)
	require.False(t, attached.Files[1].AlreadySent)
}

func TestAttachFilesWaitsHalfAMinuteForLateListing(t *testing.T) {
	t.Parallel()
	for _, late := range []bool{true, false} {
		api, clock, id, attach := newAttachFiles(t, nil, asteroid.FileRef{URI: "data:,a", Name: "a.txt"})
		fault := testsuite.Answer(http.StatusBadGateway, "") // the file did not arrive
		if late {
			fault = testsuite.LoseResponse()
		}
		api.Inject(uploadOperation, fault, 1)
		requireErrorType(t, unavailable, attach.nextErr())
		api.Inject("ExecutionFilesGet", testsuite.Answer(200, `{"directories":{}}`, "Content-Type", "application/json"), 2)
		for range 2 {
			err := attach.nextErr()
			requireErrorType(t, asteroid.ErrorTypeStillRunning, err)
			application := applicationError(t, err)
			require.Equal(t, 5*time.Second, application.NextRetryDelay())
			require.Equal(t, temporal.ApplicationErrorCategoryBenign, application.Category())
			clock.Advance(29 * time.Second / 2)
		}
		require.Equal(t, 1, countRequests(api, uploadOperation), "29 seconds after the first lookup")
		if !late {
			requireErrorType(t, asteroid.ErrorTypeStillRunning, attach.nextErr())
			clock.Advance(time.Second)
		}
		attached, err := attach.next()
		require.NoError(t, err)
		require.Equal(t, late, attached.Files[0].AlreadySent)
		require.Equal(t, []string{"a.txt"}, attachedNames(api, id))
	}
}

func TestAttachFilesSendsNothingWithoutListing(t *testing.T) {
	t.Parallel()
	api, clock, id, attach := newAttachFiles(t, nil, asteroid.FileRef{URI: "data:,a", Name: "a.txt"})
	api.Inject(uploadOperation, testsuite.LoseResponse(), 1)
	requireErrorType(t, unavailable, attach.nextErr())
	api.Inject("ExecutionFilesGet", testsuite.Answer(500, ""), 1)
	clock.Advance(time.Hour)
	requireErrorType(t, unavailable, attach.nextErr())
	attached, err := attach.next()
	require.NoError(t, err)
	require.True(t, attached.Files[0].AlreadySent)
	require.Equal(t, []string{"a.txt"}, attachedNames(api, id))
}

func TestAttachFilesRecognizesOwnUploadInListing(t *testing.T) {
	t.Parallel()
	const old, other, ours = "2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z", "2099-01-02T00:00:00Z"
	upload := func(name string, size int, created string) string {
		return strings.Replace(fileJSON("f", "uploads", "/uploads/"+name, name, size), "}", `,"createdAt":"`+created+`"}`, 1)
	}
	for name, row := range map[string]struct {
		listed string
		found  [2]bool // a.txt and a-2.txt, each of one byte
	}{
		"before the activity":                    {upload("a.txt", 1, old), [2]bool{false, false}},
		"another size":                           {upload("a.txt", 2, ours), [2]bool{false, false}},
		"another name":                           {upload("b.txt", 1, ours), [2]bool{false, false}},
		"another ending":                         {upload("a.csv", 1, ours), [2]bool{false, false}},
		"the first one":                          {upload("a.txt", 1, ours), [2]bool{true, false}},
		"the second one":                         {upload("a-2.txt", 1, ours), [2]bool{false, true}},
		"both":                                   {upload("a-2.txt", 1, ours) + "," + upload("a.txt", 1, ours), [2]bool{true, true}},
		"numbered by the service":                {upload("a.txt", 1, old) + "," + upload("a-1.txt", 1, ours), [2]bool{true, false}},
		"numbered by the service in its own way": {upload("a (3).txt", 1, ours) + "," + upload("a-2_1.txt", 1, other), [2]bool{true, true}},
		"one that may be either":                 {upload("a-2_1.txt", 1, ours), [2]bool{true, false}},
		"in another directory":                   {`],"downloads":[` + upload("a.txt", 1, ours), [2]bool{false, false}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			attach := &attempts[asteroid.AttachFilesResult]{
				t: t, name: asteroid.AttachFilesName, attempt: 1,
				options: worker.Options{Connections: (&executionFiles{
					listing: `{"directories":{"uploads":[` + row.listed + `]}}`,
				}).start(t)},
				in: asteroid.AttachFilesInput{
					ExecutionID: "e-1", Files: []asteroid.FileRef{{URI: "data:,a", Name: "a.txt"}, {URI: "data:,b", Name: "a.txt"}},
				},
			}
			attached, err := attach.next()
			if row.found == [2]bool{true, true} {
				require.NoError(t, err)
				require.True(t, attached.Files[0].AlreadySent && attached.Files[1].AlreadySent)
				return
			}
			requireErrorType(t, asteroid.ErrorTypeStillRunning, err)
			done, _ := (*attach.details)["done"].(map[string]any)
			require.Equal(t, row.found, [2]bool{done["0"] != nil, done["1"] != nil})
		})
	}
}

func TestAttachFilesRejectsTerminalExecution(t *testing.T) {
	t.Parallel()
	api, clock, id, attach := newAttachFiles(t, nil, asteroid.FileRef{URI: "data:,a"})
	clock.Advance(3 * time.Hour)
	err := attach.nextErr()
	requireErrorType(t, invalidInput, err)
	require.ErrorContains(t, err, "the execution is completed and takes no more files")
	details, _ := asteroid.DetailsOf(err)
	require.Equal(t, id, details.ExecutionID)

	api.Inject("ExecutionGet", testsuite.Answer(500, ""), 1) // the refusal stays final if the status cannot be read
	requireErrorType(t, invalidInput, attach.nextErr())

	attach.in = asteroid.AttachFilesInput{ExecutionID: "11111111-1111-4111-8111-111111111111", Files: []asteroid.FileRef{{URI: "data:,a"}}}
	requireErrorType(t, notFound, attach.nextErr())
}

func TestAttachFilesCancelsUploadMidBody(t *testing.T) {
	t.Parallel()
	began, gone := make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancelCause(context.Background())
	dir := t.TempDir()
	ref := writeFile(t, dir, "big.bin", string(patternBytes(64<<20)))
	env := newEnvWith(t, worker.Options{FileRoots: []string{dir}, Connections: serveAPI(t, func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		_, _ = io.Copy(io.Discard, slowReader{r.Body, r.Context()})
		close(gone)
	})}, sdkworker.Options{BackgroundActivityContext: ctx})
	go func() { <-began; cancel(temporal.NewCanceledError()) }()
	_, err := env.ExecuteActivity(asteroid.AttachFilesName, asteroid.AttachFilesInput{ExecutionID: "e-1", Files: []asteroid.FileRef{ref}})
	var cancelled *temporal.CanceledError
	require.ErrorAs(t, err, &cancelled)
	<-gone
}
