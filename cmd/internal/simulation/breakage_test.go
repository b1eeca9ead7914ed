//go:build !noadoption && !nograce && !nodigest

package simulation

import (
	"net/http"
	"time"
)

// breakage names what this build has broken deliberately.
const breakage = ""

// lookupGrace is the grace period of the workers. The schedules stay within it.
const lookupGrace = plannedGrace

func breakTransport(transport http.RoundTripper) http.RoundTripper { return transport }

var _ = time.Second
