//go:build noadoption

package simulation

import (
	"encoding/json"
	"net/http"
)

// breakage: workers do not find the executions of earlier attempts.
const breakage = "noadoption"

const lookupGrace = plannedGrace

func breakTransport(transport http.RoundTripper) http.RoundTripper {
	return changedLists{transport, func(page map[string]json.RawMessage) {
		page["items"], page["total"] = json.RawMessage("[]"), json.RawMessage("0")
	}}
}
