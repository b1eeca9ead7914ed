package activities

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/batch"
)

// destinationField is the field that errors of a batch's files name.
const destinationField = "results.destination"

// batchFiles returns the files of a batch's plan.
func (a *Activities) batchFiles(ctx context.Context, plan asteroid.BatchPlan) (*batch.Batch, error) {
	store, results, err := a.destinationStore(ctx, plan.Results.Destination)
	if err != nil {
		return nil, asteroid.NewInvalidInput(destinationField, err.Error())
	}
	if strings.Trim(results.Path, "/") == "" {
		return nil, asteroid.NewInvalidInput(destinationField, "must name a file, such as "+results.Scheme+"://"+results.Host+"/results.csv")
	}
	return batch.New(store, results, plan), nil
}

// batchError turns an error of a batch's files into the activity's.
func batchError(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	return transferError(ctx, destinationField, asteroid.ErrorDetails{Field: destinationField}, err)
}

// batchProgress is the heartbeat of the activities of a batch.
type batchProgress struct {
	Rows int64 `json:"rows"`
}

// countRows heartbeats until stop is called. The caller adds the rows that are done to the counter.
func countRows(ctx context.Context) (rows *atomic.Int64, stop func()) {
	rows = &atomic.Int64{}
	interval := activity.GetInfo(ctx).HeartbeatTimeout / 3
	if interval <= 0 {
		interval = 10 * time.Second
	}
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	group.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(interval):
				activity.RecordHeartbeat(ctx, batchProgress{rows.Load()})
			}
		}
	})
	return rows, func() {
		cancel()
		group.Wait()
	}
}
