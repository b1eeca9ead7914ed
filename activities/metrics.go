package activities

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"
	sdkclient "go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid/internal/metrics"
)

// metricsOf returns the handler of the activity that ctx belongs to. What no activity does, such as
// a check at the start, is not counted.
func metricsOf(ctx context.Context) sdkclient.MetricsHandler {
	if !activity.IsActivity(ctx) {
		return sdkclient.MetricsNopHandler
	}
	return activity.GetMetricsHandler(ctx)
}

// observeRequest returns the function that counts a connection's requests.
func observeRequest(connection string) func(ctx context.Context, operation, status string, took time.Duration) {
	return func(ctx context.Context, operation, status string, took time.Duration) {
		metrics.Request.Record(metricsOf(ctx), took, connection, operation, status)
	}
}

// direction is the way of files, from the worker's view.
type direction string

const (
	upload   direction = "upload"
	download direction = "download"
)
