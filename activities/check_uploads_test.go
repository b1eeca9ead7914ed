package activities_test

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/clienttest"
	"github.com/temporal-asteroid/asteroid/worker"
)

func TestCheckUploadsMatchesByNameThenSize(t *testing.T) {
	t.Parallel()
	clock := clienttest.NewClock()
	files := []asteroid.StagedFile{{ID: "1", Name: "a b.csv", Size: 5}, {ID: "2", Name: "c.csv", Size: 7}, {ID: "3", Name: "d.csv", Size: 5}}
	check := &attempts[asteroid.CheckUploadsResult]{
		t: t, name: asteroid.CheckUploadsName, in: asteroid.CheckUploadsInput{ExecutionID: "e-1", Files: files},
		options: worker.Options{Now: clock.Now, Connections: serveAPI(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"directories":{"downloads":[{"id":"9","directory":"downloads","filePath":"x","fileName":"x","fileSize":5}],
				"uploads":[{"id":"8","directory":"uploads","filePath":"c.csv","fileName":"c.csv","fileSize":7},{"id":"7","directory":"uploads","filePath":"a_b.csv","fileName":"a_b.csv","fileSize":5}]}}`)
		})},
	}
	require.True(t, asteroid.IsStillRunning(check.nextErr()), "uploads may be listed late")
	clock.Advance(3 * time.Minute)
	checked, err := check.next()
	require.NoError(t, err)
	require.Equal(t, []string{"d.csv"}, checked.Missing)
}
