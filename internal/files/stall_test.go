package files

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// slowReader waits before each read.
type slowReader struct {
	io.Reader
	delay time.Duration
}

func (r slowReader) Read(p []byte) (int, error) {
	time.Sleep(r.delay)
	return r.Reader.Read(p)
}

func (slowReader) Close() error { return nil }

func TestStallTimeoutEndsSilentTransfer(t *testing.T) {
	for name, row := range map[string]struct {
		transfer func(ctx context.Context)
		stalls   bool
	}{
		"silent": {func(context.Context) { time.Sleep(StallTimeout + time.Second) }, true},
		"alive": {func(ctx context.Context) {
			time.Sleep(time.Minute)
			Alive(ctx)
			time.Sleep(time.Minute + 30*time.Second)
		}, false},
		"store that spools what it reads":   {spool(10*time.Second, time.Second, StoreTimeout-time.Second), false},
		"store that is silent for too long": {spool(0, time.Second, StoreTimeout+time.Second), true},
		"store that uploads after the end":  {spool(0, 3*StoreTimeout, time.Second), false},
		"content that stalls in a store":    {spool(StallTimeout+time.Second, 0, 0), true},
		"store that opens slowly": {func(ctx context.Context) {
			Within(ctx, StoreTimeout)
			time.Sleep(StoreTimeout - time.Second)
			Alive(ctx)
		}, false},
		"store that reads slowly": {readStore(StoreTimeout - time.Second), false},
		"store whose read stalls": {readStore(StoreTimeout + time.Second), true},
		"reading again what was read already": {func(ctx context.Context) {
			_, _ = io.Copy(io.Discard, livingReader{slowReader{strings.NewReader(strings.Repeat("x", 1<<20)), time.Minute}, ctx})
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := WithStallTimeout(t.Context())
				defer stop()
				row.transfer(ctx)
				synctest.Wait()
				if row.stalls {
					require.ErrorContains(t, context.Cause(ctx), "stalled")
				} else {
					require.NoError(t, context.Cause(ctx))
				}
			})
		})
	}
}

// spool returns a store's Write that reads content that arrives slowly, pauses between two reads,
// and uploads once it has read all.
func spool(arrival, upload, pause time.Duration) func(ctx context.Context) {
	return func(ctx context.Context) {
		content := WriteReader{slowReader{io.MultiReader(strings.NewReader("a"), strings.NewReader("b")), arrival}, ctx}
		for {
			if _, err := content.Read(make([]byte, 10)); err != nil {
				break
			}
			time.Sleep(pause)
		}
		time.Sleep(upload)
	}
}

// readStore returns an upload of a store's file that arrives slowly.
func readStore(arrival time.Duration) func(ctx context.Context) {
	return func(ctx context.Context) {
		content := StoreReader{slowReader{strings.NewReader("a"), arrival}, ctx}
		for {
			_, err := content.Read(make([]byte, 10))
			Alive(ctx)
			if err != nil {
				return
			}
		}
	}
}

func TestDownloadSaysThatItLivesWhileItReadsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		content := strings.Repeat("x", 256<<10) // eight reads of a copy
		requests := 0
		remote := &Remote{Name: "x", Size: int64(len(content)), Locate: func(context.Context) (string, error) { return "https://host/x", nil }}
		remote.Client = &http.Client{Transport: roundTrip(func(*http.Request) *http.Response {
			requests++
			body := io.Reader(slowReader{strings.NewReader(content), time.Minute})
			if requests == 1 { // breaks off just before the end
				body = strings.NewReader(content[1:])
			}
			return &http.Response{StatusCode: http.StatusOK, ContentLength: int64(len(content)), Body: io.NopCloser(body), Header: http.Header{}}
		})}
		ctx, stop := WithStallTimeout(t.Context())
		defer stop()
		opened, err := remote.Open(ctx)
		require.NoError(t, err)
		began := time.Now()
		read, err := io.Copy(io.Discard, opened)
		require.NoError(t, err)
		require.EqualValues(t, len(content), read)
		require.Greater(t, time.Since(began), StallTimeout)
		require.Equal(t, 2, requests)
	})
}

type roundTrip func(*http.Request) *http.Response

func (r roundTrip) RoundTrip(request *http.Request) (*http.Response, error) { return r(request), nil }
