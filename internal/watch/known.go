package watch

import (
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// watched is what the watch knows of one execution.
type tracked struct {
	// status is the last that the workflow was told, or needs not be told; empty when it is still to be told the first.
	status   asteroid.Status
	workflow string    // empty until the execution is listed or read, after another attempt has handed it over
	created  time.Time // likewise
	// next is when to try again what did not work out, delay how long that was put off.
	next  time.Time
	delay time.Duration
}

const (
	firstDelay = 2 * time.Second
	maxDelay   = time.Minute
)

func (k *tracked) due(now time.Time) bool { return !now.Before(k.next) }

func (k *tracked) backOff(now time.Time) {
	k.delay = min(max(2*k.delay, firstDelay), maxDelay)
	k.next = now.Add(k.delay)
}

func (k *tracked) settled() { k.delay, k.next = 0, time.Time{} }

const (
	packedVersion = 1
	// maxPacked and maxPackedBytes keep the packed form, which history holds as base64, below what the server takes.
	maxPacked      = 40_000
	maxPackedBytes = 700 << 10
)

// packedStatuses gives every status that can go on a number. It only ever grows at its end. One that this version does not know
// has none: an execution with it is forgotten at the latest when the watch hands over.
var packedStatuses = []asteroid.Status{"", asteroid.StatusQueued, asteroid.StatusStarting, asteroid.StatusRunning, asteroid.StatusPaused, asteroid.StatusPausedByAgent, asteroid.StatusAwaitingConfirmation}

// pack makes what the next attempt, or the next watch, goes on from: the version, the time of the newest execution in
// microseconds, the number of ids that are UUIDs, those as 16 bytes with the status, and the others as their length, themselves and
// the status. When there are too many it returns nothing.
func pack(newest time.Time, known map[string]*tracked) []byte {
	if len(known) > maxPacked {
		return nil
	}
	var uuids, others []byte
	for id, k := range known {
		status, ok := statusNumber(k.status)
		if !ok {
			continue
		}
		if raw, ok := uuidBytes(id); ok {
			uuids = append(append(uuids, raw...), status)
		} else {
			others = append(append(append(others, byte(len(id))), id...), status) //nolint:gosec // no id is longer than 255 bytes
		}
	}
	packed := []byte{packedVersion}
	packed = binary.BigEndian.AppendUint64(packed, uint64(max(newest.UnixMicro(), 0)))
	packed = binary.BigEndian.AppendUint32(packed, uint32(len(uuids)/17)) //nolint:gosec // at most maxPacked
	if len(packed)+len(uuids)+len(others) > maxPackedBytes {
		return nil
	}
	return append(append(packed, uuids...), others...)
}

func statusNumber(s asteroid.Status) (number byte, ok bool) {
	for _, known := range packedStatuses {
		if known == s {
			return number, true
		}
		number++
	}
	return 0, false
}

// unpack reads what pack made. What it cannot read is as good as nothing.
func unpack(packed []byte) (newest time.Time, known map[string]*tracked) {
	nothing := func() (time.Time, map[string]*tracked) { return time.Time{}, map[string]*tracked{} }
	if len(packed) < 13 || packed[0] != packedVersion {
		return nothing()
	}
	if micros := binary.BigEndian.Uint64(packed[1:]); micros > 0 && micros < 1<<53 {
		newest = time.UnixMicro(int64(micros)).UTC()
	}
	count, rest := uint64(binary.BigEndian.Uint32(packed[9:])), packed[13:]
	if count > maxPacked || 17*count > uint64(len(rest)) {
		return nothing()
	}
	known = make(map[string]*tracked, count)
	take := func(id string, status byte) bool {
		if int(status) >= len(packedStatuses) || !text.PlainID(id) || len(known) == maxPacked {
			return false
		}
		known[id] = &tracked{status: packedStatuses[status]}
		return true
	}
	for ; count > 0; count, rest = count-1, rest[17:] {
		if !take(uuidText(rest[:16]), rest[16]) {
			return nothing()
		}
	}
	for len(rest) > 0 {
		length := int(rest[0])
		if len(rest) < length+2 || !take(string(rest[1:1+length]), rest[1+length]) {
			return nothing()
		}
		rest = rest[length+2:]
	}
	return newest, known
}

// uuidBytes reads a UUID in the one form that uuidText writes.
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
