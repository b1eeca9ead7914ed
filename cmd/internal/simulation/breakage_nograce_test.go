//go:build nograce

package simulation

import "net/http"

// breakage: workers send a request of unknown outcome again as soon as one lookup finds nothing.
const breakage = "nograce"

const lookupGrace = 1 // nanosecond, because 0 means the default

func breakTransport(transport http.RoundTripper) http.RoundTripper { return transport }
