package asteroid_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
)

func TestProgressReadsBackWhateverItsSize(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ files, most int }{{0, 100}, {1, 500}, {1000, 100 << 10}} {
		progress := asteroid.Progress[asteroid.OutputFile]{Files: row.files, Sending: []string{"7"}}
		for i := range row.files {
			if progress.Done == nil {
				progress.Done = asteroid.FinishedFiles[asteroid.OutputFile]{}
			}
			id := fmt.Sprintf("%016x-%016x", rand.Uint64(), rand.Uint64())
			progress.Done[id] = asteroid.OutputFile{
				FileRef:   asteroid.FileRef{URI: "file:///srv/%D0%BE%D1%82%D1%87%D1%91%D1%82/" + strconv.Itoa(i) + ".pdf", ContentType: "application/pdf"},
				Directory: "downloads", Size: 1024, SHA256: fmt.Sprintf("%016x%016x%016x%016x", rand.Uint64(), rand.Uint64(), rand.Uint64(), rand.Uint64()),
			}
		}
		encoded, err := json.Marshal(progress)
		require.NoError(t, err)
		require.Less(t, len(encoded), row.most)
		var decoded asteroid.Progress[asteroid.OutputFile]
		require.NoError(t, json.Unmarshal(encoded, &decoded))
		require.Equal(t, progress, decoded)
	}
}

func TestProgressRejectsWhatItCannotRead(t *testing.T) {
	t.Parallel()
	for _, done := range []string{`"x"`, `"AAAA"`, `7`, `["0"]`, `{"0":1}`} {
		var progress asteroid.Progress[asteroid.AttachedFile]
		require.Error(t, json.Unmarshal([]byte(`{"done":`+done+`}`), &progress), done)
	}
}
