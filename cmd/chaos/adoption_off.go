//go:build noadoption

package main

import (
	"io"
	"net/http"
	"strings"
)

// adoption says whether workers find what earlier attempts have started. In this build they do not, so that the run shows
// that its check can fail.
const adoption = false

func transport() http.RoundTripper { return emptyLists{http.DefaultTransport} }

// emptyLists answers every listing of executions with an empty one.
type emptyLists struct{ http.RoundTripper }

func (t emptyLists) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/executions") {
		return t.RoundTripper.RoundTrip(r)
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:  http.Header{"Content-Type": {"application/json"}},
		Body:    io.NopCloser(strings.NewReader(`{"items":[],"page":1,"pageSize":100,"total":0}`)),
		Request: r,
	}, nil
}
