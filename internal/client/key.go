package client

import (
	"errors"
	"strings"
	"sync/atomic"
)

// ErrNoKey marks a request that was not sent, because the connection's APIKey function returned no
// usable key.
var ErrNoKey = errors.New("no API key")

// sentKey is the API key that a request carried. The request's context holds it under
// sentKeyContext.
type sentKey struct{ atomic.Pointer[string] }

type sentKeyContext struct{}

// redact removes the key from text that came back.
func (k *sentKey) redact(text string) string {
	if key := k.Load(); key != nil {
		return strings.ReplaceAll(text, *key, "[API key]")
	}
	return text
}
