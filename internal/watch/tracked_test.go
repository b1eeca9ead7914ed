package watch

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

func TestUnpackReturnsWhatWasPacked(t *testing.T) {
	t.Parallel()
	newest := time.Now().UTC().Truncate(time.Microsecond)
	known := map[string]*tracked{
		"0b5e2c3a-7d11-4a80-9f6e-2f1a3b4c5d6e": {status: asteroid.StatusRunning},
		"0B5E2C3A-7D11-4A80-9F6E-2F1A3B4C5D6E": {status: asteroid.StatusPaused},
		"exec_1":                               {status: ""},
		"x":                                    {status: asteroid.StatusAwaitingConfirmation},
	}
	packed := pack(newest, known)
	known["unknown"] = &tracked{status: "hibernating"}
	require.Len(t, pack(newest, known), len(packed), "a status without a number is left out")
	delete(known, "unknown")
	gotNewest, got := unpack(packed)
	require.Equal(t, newest, gotNewest)
	require.Equal(t, known, got)
	gotNewest, got = unpack(pack(time.Time{}, nil))
	require.Zero(t, gotNewest)
	require.Empty(t, got)
}

func TestUnpackReturnsNothingForUnreadableState(t *testing.T) {
	t.Parallel()
	whole := pack(time.Now(), map[string]*tracked{"0b5e2c3a-7d11-4a80-9f6e-2f1a3b4c5d6e": {status: asteroid.StatusRunning}, "x": {}})
	for i := range whole {
		newest, known := unpack(whole[:i])
		if i == 13+17 { // the others are missing, which nothing tells
			continue
		}
		require.Zero(t, newest, i)
		require.Empty(t, known, i)
		require.NotNil(t, known)
	}
	other := append([]byte{packedVersion + 1}, whole[1:]...)
	_, known := unpack(other)
	require.Empty(t, known)
}

func TestPackIsBounded(t *testing.T) {
	t.Parallel()
	known := map[string]*tracked{}
	for i := range maxPacked {
		known[fmt.Sprintf("00000000-0000-4000-8000-%012x", i)] = &tracked{status: asteroid.StatusRunning}
	}
	packed := pack(time.Now(), known)
	require.NotEmpty(t, packed)
	require.LessOrEqual(t, len(packed), maxPackedBytes)
	_, got := unpack(packed)
	require.Len(t, got, maxPacked)
	known["one more"] = &tracked{}
	require.Empty(t, pack(time.Now(), known))
}

func FuzzUnpack(f *testing.F) {
	f.Add([]byte{})
	f.Add(pack(time.Now(), map[string]*tracked{"0b5e2c3a-7d11-4a80-9f6e-2f1a3b4c5d6e": {status: asteroid.StatusRunning}, "x": {}}))
	f.Fuzz(func(t *testing.T, packed []byte) {
		newest, known := unpack(packed)
		for id := range known {
			require.True(t, text.PlainID(id))
		}
		againNewest, again := unpack(pack(newest, known))
		require.Equal(t, newest, againNewest)
		require.Equal(t, known, again)
	})
}
