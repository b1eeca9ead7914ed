package activities

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestKnowledgeSurvivesPacking(t *testing.T) {
	t.Parallel()
	newest := time.Now().UTC().Truncate(time.Microsecond)
	known := map[string]*watched{
		"0b5e2c3a-7d11-4a80-9f6e-2f1a3b4c5d6e": {status: StatusRunning},
		"0B5E2C3A-7D11-4A80-9F6E-2F1A3B4C5D6E": {status: StatusPaused},
		"exec_1":                               {status: ""},
		"x":                                    {status: StatusAwaitingConfirmation},
	}
	packed := pack(newest, known)
	known["unknown"] = &watched{status: "hibernating"}
	require.Len(t, pack(newest, known), len(packed), "a status without a number is left out")
	delete(known, "unknown")
	gotNewest, got := unpack(packed)
	require.Equal(t, newest, gotNewest)
	require.Equal(t, known, got)
	gotNewest, got = unpack(pack(time.Time{}, nil))
	require.Zero(t, gotNewest)
	require.Empty(t, got)
}

func TestKnowledgeThatIsUnreadableIsAsGoodAsNone(t *testing.T) {
	t.Parallel()
	whole := pack(time.Now(), map[string]*watched{"0b5e2c3a-7d11-4a80-9f6e-2f1a3b4c5d6e": {status: StatusRunning}, "x": {}})
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

func TestKnowledgeIsBounded(t *testing.T) {
	t.Parallel()
	known := map[string]*watched{}
	for i := range maxPacked {
		known[fmt.Sprintf("00000000-0000-4000-8000-%012x", i)] = &watched{status: StatusRunning}
	}
	packed := pack(time.Now(), known)
	require.NotEmpty(t, packed)
	require.LessOrEqual(t, len(packed), maxPackedBytes)
	_, got := unpack(packed)
	require.Len(t, got, maxPacked)
	known["one more"] = &watched{}
	require.Empty(t, pack(time.Now(), known))
}

func FuzzUnpack(f *testing.F) {
	f.Add([]byte{})
	f.Add(pack(time.Now(), map[string]*watched{"0b5e2c3a-7d11-4a80-9f6e-2f1a3b4c5d6e": {status: StatusRunning}, "x": {}}))
	f.Fuzz(func(t *testing.T, packed []byte) {
		newest, known := unpack(packed)
		for id := range known {
			require.True(t, plainID(id))
		}
		againNewest, again := unpack(pack(newest, known))
		require.Equal(t, newest, againNewest)
		require.Equal(t, known, again)
	})
}
