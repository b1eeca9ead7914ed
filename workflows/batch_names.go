package workflows

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"

	"github.com/temporal-asteroid/asteroid/internal/budget"
)

const (
	longestKey    = 100             // of a row, in an id or key
	longestPrefix = budget.BatchKey // of what comes before it
)

// rowKey returns the key of the intent to run a row. Neither a reset nor another run of the batch
// changes it. Another namespace has other keys: its workflows do not exclude those of this one.
func rowKey(namespace, batchKey, key string, attempt int) string {
	return namespace + "/" + prefix(batchKey) + "/" + safeKey(key) + "/" + strconv.Itoa(attempt)
}

// rowID returns the id of the workflow that runs a row. Like rowKey it is made of the batch's key,
// and it is unique in the namespace, so Temporal lets one workflow at most have the intent.
func rowID(batchKey, key string, attempt int) string {
	return prefix(batchKey) + "/row/" + safeKey(key) + "/" + strconv.Itoa(attempt)
}

// segmentID returns the id of the workflow of a segment. A later batch under the same workflow id,
// or this one after a reset from its end, has a plan of another mark. So it never takes a segment
// of this one for its own.
func segmentID(batchID, mark string, pass, segment int) string {
	return segmentsOf(batchID) + safeKey(mark) + "/" + strconv.Itoa(pass) + "/" + strconv.Itoa(segment)
}

// segmentsOf returns what the ids of all segments of a workflow's batches begin with.
func segmentsOf(batchID string) string { return prefix(batchID) + "/segment/" }

// prefix returns the name, or a part of a long one with a digest.
func prefix(name string) string {
	if len(name) <= longestPrefix && strings.TrimSpace(name) == name {
		return name
	}
	return cutName(strings.TrimSpace(name), longestPrefix, name)
}

// safeKey returns a row's key without slashes, white space and control characters, or a part of a
// long one with a digest. Different keys stay different.
func safeKey(key string) string {
	escaped := strings.ReplaceAll(url.PathEscape(key), "~", "%7E")
	if len(escaped) <= longestKey {
		return escaped
	}
	return cutName(escaped, longestKey, key)
}

func cutName(shown string, longest int, name string) string {
	const digits = 32
	digest := sha256.Sum256([]byte(name))
	mark := "~" + hex.EncodeToString(digest[:])[:digits]
	return strings.ToValidUTF8(shown[:min(len(shown), longest-len(mark))], "") + mark
}
