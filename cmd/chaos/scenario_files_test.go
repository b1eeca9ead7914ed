package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/temporal-asteroid/asteroid"
)

func TestBrokenFilesNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	whole := map[string]string{"downloads/a.txt": digestOf([]byte("alpha")), "downloads/b.txt": digestOf([]byte("beta"))}
	for name, row := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"whole":        {map[string]string{"a.txt": "alpha", "b.txt": "beta"}, nil},
		"half of one":  {map[string]string{"a.txt": "al", "b.txt": "beta"}, []string{"downloads/a.txt is not whole, with 2 bytes"}},
		"exchanged":    {map[string]string{"a.txt": "beta", "b.txt": "beta"}, []string{"downloads/a.txt is not whole, with 4 bytes"}},
		"one is not":   {map[string]string{"b.txt": "beta"}, []string{"downloads/a.txt was not saved"}},
		"part is left": {map[string]string{"a.txt": "alpha", "b.txt": "beta", ".asteroid-part-1": "x"}, []string{"downloads/.asteroid-part-1 was left over, with 1 bytes"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			directory := t.TempDir()
			require.NoError(t, os.Mkdir(filepath.Join(directory, "downloads"), 0o700))
			for file, content := range row.files {
				require.NoError(t, os.WriteFile(filepath.Join(directory, "downloads", file), []byte(content), 0o600))
			}
			require.Equal(t, row.want, brokenFiles(directory, whole))
		})
	}
	require.Contains(t, brokenFiles(filepath.Join(t.TempDir(), "none"), whole)[0], "no such file")
}

func TestOverlapNeedsTwoSavingsAtOnce(t *testing.T) {
	t.Parallel()
	at := func(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }
	require.False(t, overlap(nil))
	require.False(t, overlap([]saving{{at(0), at(2)}}))
	require.False(t, overlap([]saving{{at(0), at(2)}, {at(3), at(4)}}))
	require.True(t, overlap([]saving{{at(0), at(2)}, {at(3), at(5)}, {at(1), at(4)}}))
}

func TestSavingsOfHistoryAreItsCompletedSaveFiles(t *testing.T) {
	t.Parallel()
	h := &historyOf{}
	saving := h.scheduled(asteroid.SaveFilesName)
	other := h.scheduled(asteroid.ListFilesName)
	h.scheduled(asteroid.SaveFilesName) // never ends
	h.completed(other)
	h.completed(saving)
	savings := savingsIn(h.events)
	require.Len(t, savings, 1)
	require.Equal(t, 4*time.Second, savings[0].until.Sub(savings[0].from))
}

// historyOf makes a history, with a second between its events.
type historyOf struct{ events []*historypb.HistoryEvent }

func (h *historyOf) add(eventType enumspb.EventType, event *historypb.HistoryEvent) int64 {
	event.EventId, event.EventType = int64(len(h.events)+1), eventType
	event.EventTime = timestampOf(noon.Add(time.Duration(event.EventId) * time.Second))
	h.events = append(h.events, event)
	return event.EventId
}
