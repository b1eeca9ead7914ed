package client

import (
	"encoding/json"
	"errors"
	"html"
	"net/url"
	"strings"
	"sync/atomic"
)

// ErrNoKey marks a request that was not sent, because the connection's APIKey function returned no
// usable key.
var ErrNoKey = errors.New("no API key")

// ErrShortKey marks a request that was not sent, because the key has fewer than minKeyLength bytes.
var ErrShortKey = errors.New("the APIKey function returned too short a key")

// minKeyLength is below the length of every key of the service. A shorter key is a mistake, and
// removing it from text would remove parts of words.
const minKeyLength = 8

// sentKey is the API key that a request carried. The request's context holds it under the key
// sentKeyContext.
type sentKey struct{ atomic.Pointer[string] }

type sentKeyContext struct{}

// redact removes the key from text that came back: as it is, and as JSON, HTML and URLs escape it.
func (k *sentKey) redact(text string) string {
	key := k.Load()
	if key == nil {
		return text
	}
	for _, form := range escapedForms(*key) {
		text = strings.ReplaceAll(text, form, "[API key]")
	}
	return text
}

// escapedForms returns a key as a response may repeat it.
func escapedForms(key string) []string {
	quoted, _ := json.Marshal(key) // a string never fails
	inJSON := strings.Trim(string(quoted), `"`)
	return []string{
		key, inJSON, strings.ReplaceAll(inJSON, "/", `\/`), strings.ReplaceAll(key, "/", `\/`),
		html.EscapeString(key), url.QueryEscape(key), url.PathEscape(key),
	}
}
