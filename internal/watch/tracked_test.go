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
	serviceTime := time.Now().UTC().Truncate(time.Microsecond)
	executions := map[string]*tracked{
		"0b5e2c3a-7d11-4a80-9f6e-2f1a3b4c5d6e": {status: asteroid.StatusRunning},
		"0B5E2C3A-7D11-4A80-9F6E-2F1A3B4C5D6E": {status: asteroid.StatusPaused},
		"exec_1":                               {status: ""},
		"x":                                    {status: asteroid.StatusAwaitingConfirmation},
	}
	packed := pack(serviceTime, executions)
	executions["x"].status = "hibernating"
	_, got := unpack(pack(serviceTime, executions))
	require.Equal(t, &tracked{}, got["x"], "a status without a number counts as never notified")
	executions["x"].status = asteroid.StatusAwaitingConfirmation
	gotTime, got := unpack(packed)
	require.Equal(t, serviceTime, gotTime)
	require.Equal(t, executions, got)
	gotTime, got = unpack(pack(time.Time{}, nil))
	require.Zero(t, gotTime)
	require.Empty(t, got)
}

func TestUnpackReturnsNothingForUnreadableState(t *testing.T) {
	t.Parallel()
	whole := pack(time.Now(), map[string]*tracked{"0b5e2c3a-7d11-4a80-9f6e-2f1a3b4c5d6e": {status: asteroid.StatusRunning}, "x": {}})
	for i := range whole {
		serviceTime, executions := unpack(whole[:i])
		if i == 13+17 { // only the other ids are cut off, and they have no count
			continue
		}
		require.Zero(t, serviceTime, i)
		require.Empty(t, executions, i)
		require.NotNil(t, executions)
	}
	other := append([]byte{packedVersion + 1}, whole[1:]...)
	_, executions := unpack(other)
	require.Empty(t, executions)
}

func TestPackIsBounded(t *testing.T) {
	t.Parallel()
	executions := map[string]*tracked{}
	for i := range maxPacked {
		executions[fmt.Sprintf("00000000-0000-4000-8000-%012x", i)] = &tracked{status: asteroid.StatusRunning}
	}
	packed := pack(time.Now(), executions)
	require.NotEmpty(t, packed)
	require.LessOrEqual(t, len(packed), maxPackedBytes)
	_, got := unpack(packed)
	require.Len(t, got, maxPacked)
	executions["one more"] = &tracked{}
	require.Empty(t, pack(time.Now(), executions))
}

func FuzzUnpack(f *testing.F) {
	f.Add([]byte{})
	f.Add(pack(time.Now(), map[string]*tracked{"0b5e2c3a-7d11-4a80-9f6e-2f1a3b4c5d6e": {status: asteroid.StatusRunning}, "x": {}}))
	f.Fuzz(func(t *testing.T, packed []byte) {
		serviceTime, executions := unpack(packed)
		for id := range executions {
			require.True(t, text.PlainID(id))
		}
		againTime, again := unpack(pack(serviceTime, executions))
		require.Equal(t, serviceTime, againTime)
		require.Equal(t, executions, again)
	})
}
