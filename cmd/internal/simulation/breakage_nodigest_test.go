//go:build nodigest

package simulation

import (
	"encoding/json"
	"net/http"

	"github.com/temporal-asteroid/asteroid"
)

// breakage: workers adopt an execution without comparing its request, because none is listed with a
// digest.
const breakage = "nodigest"

const lookupGrace = plannedGrace

func breakTransport(transport http.RoundTripper) http.RoundTripper {
	return changedLists{transport, func(page map[string]json.RawMessage) {
		var items []map[string]any
		_ = json.Unmarshal(page["items"], &items) // else the list is empty
		for _, item := range items {
			delete(item["metadata"].(map[string]any), asteroid.MetadataRequest)
		}
		page["items"], _ = json.Marshal(items) // what was decoded can be encoded
	}}
}
