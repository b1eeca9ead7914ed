package watch

import (
	"encoding/binary"
	"encoding/hex"
	"slices"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// observation is the state of an execution whose workflow is notified of changes.
type observation struct {
	status     asteroid.Status
	terminal   bool
	workflowID string
	createdAt  time.Time
}

// tracked is what the watch knows of one execution.
type tracked struct {
	// status is the last one that the workflow knows. It is empty before the first notification of
	// an execution that was not just started.
	status asteroid.Status
	// workflowID and createdAt are empty after a hand-over, until the execution is listed or read.
	workflowID string
	createdAt  time.Time
	// dueAt is when a read or a signal that failed is repeated, delay the last back-off.
	dueAt time.Time
	delay time.Duration
}

const (
	firstDelay = 2 * time.Second
	maxDelay   = time.Minute
)

func (t *tracked) due(now time.Time) bool { return !now.Before(t.dueAt) }

func (t *tracked) backOff(now time.Time) {
	t.delay = min(max(2*t.delay, firstDelay), maxDelay)
	t.dueAt = now.Add(t.delay)
}

func (t *tracked) resetBackOff() { t.delay, t.dueAt = 0, time.Time{} }

const (
	packedVersion = 1
	// maxPacked and maxPackedBytes keep the packed form, which history holds as base64, below the
	// server's limit.
	maxPacked      = 40_000
	maxPackedBytes = 700 << 10
)

// packedStatuses numbers every status that is not terminal. It only ever grows at its end. A status
// without a number is packed as the empty one, so a hand-over notifies of it once more.
var packedStatuses = []asteroid.Status{
	"", asteroid.StatusQueued, asteroid.StatusStarting, asteroid.StatusRunning,
	asteroid.StatusPaused, asteroid.StatusPausedByAgent, asteroid.StatusAwaitingConfirmation,
}

// pack encodes what the next attempt or watch continues from: the version, serviceTime in
// microseconds, the number of ids that are UUIDs, those as 16 bytes with the status, then the other
// ids as length, text and status. It returns nil when there are too many.
func pack(serviceTime time.Time, executions map[string]*tracked) []byte {
	if len(executions) > maxPacked {
		return nil
	}
	var uuids, others []byte
	for id, t := range executions {
		number := max(slices.Index(packedStatuses, t.status), 0)
		status := byte(number) //nolint:gosec // packedStatuses is short
		if raw, ok := uuidBytes(id); ok {
			uuids = append(append(uuids, raw...), status)
		} else {
			others = append(append(append(others, byte(len(id))), id...), status) //nolint:gosec // no id is longer than 255 bytes
		}
	}
	packed := []byte{packedVersion}
	packed = binary.BigEndian.AppendUint64(packed, uint64(max(serviceTime.UnixMicro(), 0)))
	packed = binary.BigEndian.AppendUint32(packed, uint32(len(uuids)/17)) //nolint:gosec // at most maxPacked
	if len(packed)+len(uuids)+len(others) > maxPackedBytes {
		return nil
	}
	return append(append(packed, uuids...), others...)
}

// unpack decodes what pack encoded. It returns no time and an empty map for what it cannot decode.
func unpack(packed []byte) (serviceTime time.Time, executions map[string]*tracked) {
	if len(packed) < 13 || packed[0] != packedVersion {
		return time.Time{}, map[string]*tracked{}
	}
	if micros := binary.BigEndian.Uint64(packed[1:]); micros > 0 && micros < 1<<53 {
		serviceTime = time.UnixMicro(int64(micros)).UTC()
	}
	if executions = unpackIDs(binary.BigEndian.Uint32(packed[9:]), packed[13:]); executions == nil {
		return time.Time{}, map[string]*tracked{}
	}
	return serviceTime, executions
}

// unpackIDs decodes that number of UUIDs, then the other ids. It returns nil for what it cannot
// decode.
func unpackIDs(uuids uint32, rest []byte) map[string]*tracked {
	if uuids > maxPacked || 17*int(uuids) > len(rest) {
		return nil
	}
	executions := make(map[string]*tracked, uuids)
	add := func(id string, status byte) bool {
		if int(status) >= len(packedStatuses) || !text.PlainID(id) || len(executions) == maxPacked {
			return false
		}
		executions[id] = &tracked{status: packedStatuses[status]}
		return true
	}
	for ; uuids > 0; uuids, rest = uuids-1, rest[17:] {
		if !add(uuidText(rest[:16]), rest[16]) {
			return nil
		}
	}
	for len(rest) > 0 {
		length := int(rest[0])
		if len(rest) < length+2 || !add(string(rest[1:1+length]), rest[1+length]) {
			return nil
		}
		rest = rest[length+2:]
	}
	return executions
}

// uuidBytes decodes a UUID in the form that uuidText encodes.
func uuidBytes(id string) ([]byte, bool) {
	if len(id) != 36 {
		return nil, false
	}
	raw, err := hex.DecodeString(id[:8] + id[9:13] + id[14:18] + id[19:23] + id[24:])
	return raw, err == nil && uuidText(raw) == id
}

func uuidText(raw []byte) string {
	text := hex.EncodeToString(raw)
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}
