package testsuite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
)

// WithoutNetwork makes the API listen on no port. Requests reach it through [API.Transport] only,
// and [API.BaseURL] is a loopback address at which nothing listens. Nothing then waits for a
// socket, so that the API can be used in a bubble of testing/synctest: there CommitLate and Stall
// take virtual time, too.
func WithoutNetwork() Option { return func(o *options) { o.noNetwork = true } }

// Transport returns a transport that carries every request to the API without a network, whatever
// its host. It returns the response once all of it has been written. A fault that closes the
// connection is an error of the request, or of reading the body if a part of that was written. A
// request whose context ends is abandoned: the API sees that its client is gone.
func (a *API) Transport() http.RoundTripper { return handlerTransport{a.handler} }

// baseURLWithoutNetwork has the form of a real one, because clients check it.
const baseURLWithoutNetwork = "http://127.0.0.1:1"

// errConnectionClosed is the error of a request whose connection the API closed.
var errConnectionClosed = errors.New("the fake Asteroid API closed the connection")

type handlerTransport struct{ handler http.Handler }

func (t handlerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	body := r.Body
	if body == nil {
		body = http.NoBody
	}
	served := r.Clone(r.Context())
	served.Body, served.RequestURI, served.RemoteAddr = body, r.URL.RequestURI(), "127.0.0.1:2"
	if served.Host == "" {
		served.Host = r.URL.Host
	}
	response := &writtenResponse{bufferedResponse: bufferedResponse{header: http.Header{}}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { _ = body.Close() }()
		defer func() {
			if cause := recover(); cause == http.ErrAbortHandler { //nolint:errorlint // as net/http compares it
				response.aborted = true
			} else if cause != nil {
				panic(cause)
			}
		}()
		t.handler.ServeHTTP(response, served)
	}()
	select {
	case <-done:
		return response.result(r)
	case <-r.Context().Done():
		return nil, context.Cause(r.Context())
	}
}

// writtenResponse is what a handler has written. It cannot be hijacked, so a handler closes its
// connection by http.ErrAbortHandler.
type writtenResponse struct {
	bufferedResponse
	once    sync.Once
	sent    http.Header // the header when it was written
	aborted bool
}

func (w *writtenResponse) WriteHeader(status int) {
	w.once.Do(func() { w.sent = w.header.Clone() })
	w.bufferedResponse.WriteHeader(status)
}

func (w *writtenResponse) Write(content []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(content)
}

// result returns the response to a request, or the error of a closed connection.
func (w *writtenResponse) result(r *http.Request) (*http.Response, error) {
	if w.aborted && w.status == 0 {
		return nil, errConnectionClosed
	}
	w.WriteHeader(http.StatusOK) // the default, as in net/http
	var body io.Reader = bytes.NewReader(w.body.Bytes())
	if w.aborted {
		body = io.MultiReader(body, brokenBody{})
	}
	if r.Method == http.MethodHead {
		body = http.NoBody
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", w.status, http.StatusText(w.status)), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, Body: io.NopCloser(body), ContentLength: int64(w.body.Len()), Request: r,
	}, nil
}

// brokenBody is the rest of a body whose connection was closed.
type brokenBody struct{}

func (brokenBody) Read([]byte) (int, error) { return 0, errConnectionClosed }
