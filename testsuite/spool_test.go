package testsuite

import (
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func TestSpoolStoresSmallFilesInMemory(t *testing.T) {
	t.Parallel()
	var s spool
	small, err := s.store(strings.NewReader(strings.Repeat("x", spoolInMemory)))
	require.NoError(t, err)
	require.Empty(t, small.path)
	large, err := s.store(strings.NewReader(strings.Repeat("x", spoolInMemory+1)))
	require.NoError(t, err)
	require.FileExists(t, large.path)
	for _, b := range []*blob{small, large} {
		content, err := b.open()
		require.NoError(t, err)
		size, err := io.Copy(io.Discard, content)
		require.NoError(t, err)
		require.NoError(t, content.Close())
		require.Equal(t, b.size, size)
	}
	require.NoError(t, s.close())
	require.NoFileExists(t, large.path)
	_, err = s.store(strings.NewReader(strings.Repeat("x", spoolInMemory+1)))
	require.ErrorIs(t, err, os.ErrClosed)
}

func TestSpoolDeletesBrokenUploads(t *testing.T) {
	t.Parallel()
	var s spool
	defer func() { require.NoError(t, s.close()) }()
	broken := errors.New("connection lost")
	for _, size := range []int{1, spoolInMemory + 10} {
		_, err := s.store(io.MultiReader(strings.NewReader(strings.Repeat("x", size)), iotest.ErrReader(broken)))
		require.ErrorIs(t, err, broken)
	}
	entries, err := os.ReadDir(s.dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

// zeros is an endless reader.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestSpoolStoresLargeFilesInLittleMemory(t *testing.T) {
	var s spool
	defer func() { require.NoError(t, s.close()) }()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	b, err := s.store(io.LimitReader(zeros{}, 64<<20))
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	require.EqualValues(t, 64<<20, b.size)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<20))
}
