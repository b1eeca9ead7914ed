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

// packedStatuses numbers every status that is not terminal. The completed one stands for terminal
// executions that were reported. It only ever grows at its end. A status without a number is packed
// as the empty one, so a hand-over notifies of it once more.
var packedStatuses = []asteroid.Status{
	"", asteroid.StatusQueued, asteroid.StatusStarting, asteroid.StatusRunning,
	asteroid.StatusPaused, asteroid.StatusPausedByAgent, asteroid.StatusAwaitingConfirmation, asteroid.StatusCompleted,
}

// known is what the next attempt or watch continues from.
type known struct {
	serviceTime time.Time            // see Watch
	tracked     map[string]*tracked  // without workflow ids and times
	reported    map[string]time.Time // see Watch
}

// pack encodes it: the version, serviceTime in microseconds, the number of ids that are UUIDs,
// those as 16 bytes with the status, then the other ids as length, text and status. It returns nil
// when too many are tracked, and leaves out the reported ones when these are too many.
func (k known) pack() []byte {
	if len(k.tracked) > maxPacked {
		return nil
	}
	var uuids, others []byte
	add := func(id string, status asteroid.Status) {
		number := byte(max(slices.Index(packedStatuses, status), 0)) //nolint:gosec // packedStatuses is short
		if raw, ok := uuidBytes(id); ok {
			uuids = append(append(uuids, raw...), number)
		} else {
			others = append(append(append(others, byte(len(id))), id...), number) //nolint:gosec // no id is longer than 255 bytes
		}
	}
	for id, t := range k.tracked {
		add(id, t.status)
	}
	if len(k.tracked)+len(k.reported) <= maxPacked {
		for id := range k.reported {
			add(id, asteroid.StatusCompleted)
		}
	}
	packed := []byte{packedVersion}
	packed = binary.BigEndian.AppendUint64(packed, uint64(max(k.serviceTime.UnixMicro(), 0)))
	packed = binary.BigEndian.AppendUint32(packed, uint32(len(uuids)/17)) //nolint:gosec // at most maxPacked
	if len(packed)+len(uuids)+len(others) > maxPackedBytes {
		return nil
	}
	return append(append(packed, uuids...), others...)
}

// unpack decodes what pack encoded. It returns no time and empty maps for what it cannot decode.
func unpack(packed []byte) known {
	nothing := known{tracked: map[string]*tracked{}, reported: map[string]time.Time{}}
	if len(packed) < 13 || packed[0] != packedVersion {
		return nothing
	}
	k := known{tracked: map[string]*tracked{}, reported: map[string]time.Time{}}
	if micros := binary.BigEndian.Uint64(packed[1:]); micros > 0 && micros < 1<<53 {
		k.serviceTime = time.UnixMicro(int64(micros)).UTC()
	}
	if !k.unpackIDs(binary.BigEndian.Uint32(packed[9:]), packed[13:]) {
		return nothing
	}
	return k
}

// unpackIDs decodes that number of UUIDs, then the other ids. It returns false for what it cannot
// decode.
func (k known) unpackIDs(uuids uint32, rest []byte) bool {
	if uuids > maxPacked || 17*int(uuids) > len(rest) {
		return false
	}
	add := func(id string, number byte) bool {
		if int(number) >= len(packedStatuses) || !text.PlainID(id) || len(k.tracked)+len(k.reported) == maxPacked {
			return false
		}
		if status := packedStatuses[number]; status.Terminal() {
			k.reported[id] = k.serviceTime // later than its creation, so it is forgotten late enough
		} else {
			k.tracked[id] = &tracked{status: status}
		}
		return true
	}
	for ; uuids > 0; uuids, rest = uuids-1, rest[17:] {
		if !add(uuidText(rest[:16]), rest[16]) {
			return false
		}
	}
	for len(rest) > 0 {
		length := int(rest[0])
		if len(rest) < length+2 || !add(string(rest[1:1+length]), rest[1+length]) {
			return false
		}
		rest = rest[length+2:]
	}
	return true
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
