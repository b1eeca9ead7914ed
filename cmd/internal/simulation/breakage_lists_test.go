//go:build noadoption || nodigest

package simulation

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// changedLists changes every list of executions.
type changedLists struct {
	http.RoundTripper
	change func(page map[string]json.RawMessage)
}

func (c changedLists) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := c.RoundTripper.RoundTrip(r)
	if err != nil || r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/executions") || response.StatusCode != http.StatusOK {
		return response, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	var page map[string]json.RawMessage
	if json.Unmarshal(body, &page) == nil { // else it was truncated
		c.change(page)
		body, _ = json.Marshal(page) // what was decoded can be encoded
	}
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	response.Header.Del("Content-Length")
	return response, nil
}
