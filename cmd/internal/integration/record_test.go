package integration

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/history/v1"
	"google.golang.org/protobuf/encoding/protojson"
)

const activityTimeout = time.Minute

var update = flag.Bool("update", false, "write the histories that the replay test of package workflows replays")

// record writes a history for the replay test, only with -update: a history recorded with changed
// workflow code proves nothing about the open runs of users.
func record(t *testing.T, name string, h *history.History) {
	t.Helper()
	if !*update {
		return
	}
	raw, err := protojson.MarshalOptions{Indent: " "}.Marshal(h)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join("..", "..", "..", "workflows", "testdata", name+".json"), append(raw, '\n'), 0o644))
}
