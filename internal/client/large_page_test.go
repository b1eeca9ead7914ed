package client

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/budget"
	"github.com/temporal-asteroid/asteroid/internal/clienttest"
)

// listClient returns a client of a service that has executions with results of these sizes.
func listClient(t *testing.T, sizes []int) (*Client, *clienttest.Wire) {
	t.Helper()
	wire := clienttest.NewWire()
	wire.Answer(func(_ string, r *http.Request) *http.Response {
		number, _ := strconv.Atoi(r.URL.Query().Get("page"))
		size, _ := strconv.Atoi(r.URL.Query().Get("pageSize"))
		first := min((number-1)*size, len(sizes))
		var items []string
		for i, n := range sizes[first:min(first+size, len(sizes))] {
			items = append(items, fmt.Sprintf(`{"id":"e-%d","status":"completed","executionResult":{"result":%q}}`, first+i, strings.Repeat("x", n)))
		}
		return clienttest.ReplyText(http.StatusOK, fmt.Sprintf(`{"items":[%s],"total":%d}`, strings.Join(items, ","), len(sizes)))
	})
	c, err := New("default", asteroid.Connection{APIKey: asteroid.StaticAPIKey("secret-key"), OrganizationID: "org-1", Transport: wire}, time.Minute, time.Now)
	require.NoError(t, err)
	return c, wire
}

func TestListReadsSmallerPagesOfLargeExecutions(t *testing.T) {
	t.Parallel()
	ids := func(from, to int) (ids []string) {
		for i := from; i < to; i++ {
			ids = append(ids, fmt.Sprintf("e-%d", i))
		}
		return ids
	}
	for name, row := range map[string]struct {
		sizes    []int
		number   int32
		want     []string
		listed   int
		requests int
	}{
		"as one page":           {[]int{1, 1, 1}, 1, ids(0, 3), 3, 1},
		"200 kB each":           {repeat(200_000, 100), 1, ids(0, 100), 100, 3},
		"the second page":       {repeat(200_000, 130), 2, ids(100, 130), 30, 1},
		"a large second page":   {repeat(600_000, 150), 2, ids(100, 150), 50, 5},
		"one of 20 MiB":         {append(repeat(10, 30), 20<<20), 1, ids(0, 31), 31, 8},
		"one that is too large": {append([]int{budget.ExecutionResponse + 1}, repeat(10, 2)...), 1, ids(1, 3), 3, 8},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, wire := listClient(t, row.sizes)
			page, err := c.List(t.Context(), ListQuery{}, row.number)
			require.NoError(t, err)
			var got []string
			for _, item := range page.Items {
				got = append(got, item.ID)
			}
			require.Equal(t, row.want, got)
			require.Equal(t, row.listed, page.Listed)
			require.EqualValues(t, len(row.sizes), page.Total)
			require.Equal(t, row.requests, wire.Take(http.MethodGet))
		})
	}
}

func repeat(size, n int) []int {
	sizes := make([]int, n)
	for i := range sizes {
		sizes[i] = size
	}
	return sizes
}

func TestFillReasonReadsFewerEntriesOfALargeLog(t *testing.T) {
	t.Parallel()
	const failed = `{"payload":{"activityType":"status_changed","status":"failed","failedPayload":{"reason":"broken"}}}`
	for name, row := range map[string]struct {
		size int
		want string
	}{
		"all fit":                  {10, "broken"},
		"a few fit":                {5 << 20, "broken"},
		"only the newest ones fit": {30 << 20, "broken"},
		"the newest is too large":  {budget.ExecutionResponse + 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wire := clienttest.NewWire()
			wire.Answer(func(_ string, r *http.Request) *http.Response {
				limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
				large := fmt.Sprintf(`{"payload":{"activityType":"x","text":%q}}`, strings.Repeat("x", row.size))
				entries := []string{failed}
				if row.want == "" {
					entries = nil
				}
				for range min(limit-len(entries), max(80<<20/row.size, 1)) {
					entries = append(entries, large)
				}
				return clienttest.ReplyText(http.StatusOK, "["+strings.Join(entries, ",")+"]")
			})
			c, err := New("default", asteroid.Connection{APIKey: asteroid.StaticAPIKey("secret-key"), OrganizationID: "org-1", Transport: wire}, time.Minute, time.Now)
			require.NoError(t, err)
			e := &asteroid.Execution{ExecutionID: "e-1", Status: asteroid.StatusFailed}
			require.NoError(t, c.FillReason(t.Context(), e))
			require.Equal(t, row.want, e.Reason)
		})
	}
}
