package watch

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

const someUUID = "0b5e2c3a-7d11-4a80-9f6e-2f1a3b4c5d6e"

func TestUnpackReturnsWhatWasPacked(t *testing.T) {
	t.Parallel()
	before := known{serviceTime: time.Now().UTC().Truncate(time.Microsecond)}
	before.tracked = map[string]*tracked{
		someUUID:                               {status: asteroid.StatusRunning},
		"0B5E2C3A-7D11-4A80-9F6E-2F1A3B4C5D6E": {status: asteroid.StatusPaused},
		"exec_1":                               {status: ""},
		"x":                                    {status: asteroid.StatusAwaitingConfirmation},
	}
	before.reported = map[string]time.Time{"1b5e2c3a-7d11-4a80-9f6e-2f1a3b4c5d6e": before.serviceTime, "y": before.serviceTime}
	packed := before.pack()
	before.tracked["x"].status = "hibernating"
	require.Equal(t, &tracked{}, unpack(before.pack()).tracked["x"], "a status without a number counts as never notified")
	before.tracked["x"].status = asteroid.StatusAwaitingConfirmation
	require.Equal(t, before, unpack(packed))
	require.Equal(t, known{tracked: map[string]*tracked{}, reported: map[string]time.Time{}}, unpack(known{}.pack()))
}

func TestUnpackReturnsNothingForUnreadableState(t *testing.T) {
	t.Parallel()
	whole := known{serviceTime: time.Now(), tracked: map[string]*tracked{someUUID: {status: asteroid.StatusRunning}, "x": {}}}.pack()
	for i := range whole {
		k := unpack(whole[:i])
		if i == 13+17 { // only the other ids are cut off, and they have no count
			continue
		}
		require.Zero(t, k.serviceTime, i)
		require.Empty(t, k.tracked, i)
		require.NotNil(t, k.tracked)
		require.NotNil(t, k.reported)
	}
	other := append([]byte{packedVersion + 1}, whole[1:]...)
	require.Empty(t, unpack(other).tracked)
}

func TestPackIsBounded(t *testing.T) {
	t.Parallel()
	k := known{serviceTime: time.Now(), tracked: map[string]*tracked{}, reported: map[string]time.Time{}}
	for i := range maxPacked {
		k.tracked[fmt.Sprintf("00000000-0000-4000-8000-%012x", i)] = &tracked{status: asteroid.StatusRunning}
	}
	packed := k.pack()
	require.NotEmpty(t, packed)
	require.LessOrEqual(t, len(packed), maxPackedBytes)
	require.Len(t, unpack(packed).tracked, maxPacked)
	k.reported["y"] = k.serviceTime
	require.Len(t, unpack(k.pack()).tracked, maxPacked, "what was reported is left out first")
	k.tracked["one more"] = &tracked{}
	require.Empty(t, k.pack())
}

func FuzzUnpack(f *testing.F) {
	f.Add([]byte{})
	f.Add(known{
		serviceTime: time.Now(), tracked: map[string]*tracked{someUUID: {status: asteroid.StatusRunning}, "x": {}},
		reported: map[string]time.Time{"y": time.Now()},
	}.pack())
	f.Fuzz(func(t *testing.T, packed []byte) {
		k := unpack(packed)
		for id := range k.tracked {
			require.True(t, text.PlainID(id))
		}
		require.Equal(t, k, unpack(k.pack()))
	})
}
