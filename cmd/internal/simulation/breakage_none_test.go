//go:build !noadoption && !nograce && !nodigest

package simulation

import "net/http"

// breakage names what this build has broken on purpose.
const breakage = ""

// lookupGrace is the grace period of the workers.
const lookupGrace = plannedGrace

// breakTransport returns the transport of a worker.
func breakTransport(transport http.RoundTripper) http.RoundTripper { return transport }
