// Package bound bounds the contract's values to the budgets of package budget, before they enter
// Temporal. Texts are cleaned and truncated, and end in "..." then. A large result is left out and
// replaced by a reference to it.
package bound

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/budget"
)

// Compact returns valid JSON without the white space between its tokens. Unlike json.Compact it
// takes any depth.
func Compact(raw json.RawMessage) json.RawMessage {
	if !bytes.ContainsAny(raw, " \t\r\n") {
		return raw
	}
	compact := make(json.RawMessage, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; c {
		case ' ', '\t', '\r', '\n':
		case '"':
			end := stringEnd(raw, i)
			compact = append(compact, raw[i:end]...)
			i = end - 1
		default:
			compact = append(compact, c)
		}
	}
	return compact
}

// stringEnd returns where the JSON string at i ends, the closing quote included.
func stringEnd(raw []byte, i int) int {
	for i++; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(raw)
}

// levels returns how deeply a JSON value is nested.
func levels(raw []byte) int {
	depth, deepest := 0, 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '[', '{':
			depth++
			deepest = max(deepest, depth)
		case ']', '}':
			depth--
		case '"':
			i = stringEnd(raw, i) - 1
		}
	}
	return deepest
}

// encodedSize returns the bytes of compact JSON in history: the data converter escapes what has a
// meaning in HTML, and two line separators.
func encodedSize(compact []byte) int {
	const escaped = len(`\u003c`)
	size := len(compact)
	for _, c := range []string{"<", ">", "&", "\u2028", "\u2029"} {
		size += bytes.Count(compact, []byte(c)) * (escaped - len(c))
	}
	return size
}

// result puts the result in compact form and adds its size and digest. It leaves the result out if
// that is larger than inline, as history encodes it, or nested too deeply for the data converter.
func result(e *asteroid.Execution, inline int) {
	r := e.ExecutionResult
	if r == nil || len(r.Result) == 0 {
		return
	}
	r.Result = Compact(r.Result)
	sum := sha256.Sum256(r.Result)
	r.Bytes, r.SHA256 = int64(len(r.Result)), hex.EncodeToString(sum[:])
	if encodedSize(r.Result) > inline || levels(r.Result) > budget.ResultLevels {
		OmitResult(e)
	}
}

// OmitResult replaces an execution's result, if it has one, by a reference to it.
func OmitResult(e *asteroid.Execution) {
	if len(e.Result()) == 0 {
		return
	}
	r := *e.ExecutionResult
	if r.Bytes == 0 { // an older worker read it
		r.Bytes = int64(len(r.Result))
	}
	r.Result = nil
	e.ResultOmitted = &asteroid.OmittedResult{
		Bytes: r.Bytes, SHA256: r.SHA256, URI: asteroid.ExecutionResultURI(e.ExecutionID),
	}
	e.ExecutionResult = &r
}
