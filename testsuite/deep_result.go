package testsuite

import (
	"bytes"
	"encoding/json"
	"maps"
	"time"
)

// deepResults holds the results that are nested too deeply for encoding/json, by the JSON string
// that stands for each in what is encoded. A map is never changed once it is in use.
type deepResults map[string]json.RawMessage

// insert puts the results in place of their strings.
func (d deepResults) insert(encoded []byte) []byte {
	for placeholder, result := range d {
		encoded = bytes.ReplaceAll(encoded, []byte(placeholder), result)
	}
	return encoded
}

// maxEncodedLevels is below the 10,000 levels that encoding/json encodes, so that a response has
// room for its own.
const maxEncodedLevels = 9_000

// completeWith is [Complete] for a result that is JSON already, of any depth.
func completeWith(outcome, reasoning string, result json.RawMessage, levels int) Step {
	return Step{func(e *execution, at time.Time) {
		if levels > maxEncodedLevels {
			placeholder := `"deep result ` + newUUID() + `"`
			results := maps.Clone(e.service.deepResults)
			if results == nil {
				results = deepResults{}
			}
			results[placeholder] = result
			e.service.deepResults, result = results, json.RawMessage(placeholder)
		}
		e.complete(at, outcome, reasoning, result)
	}}
}
