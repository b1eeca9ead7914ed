package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
)

// newWorkerLog returns a JSON logger of the level that is named. Once stopping is set it logs
// errors as warnings: the SDK calls it an error when the end of an activity that the stop cut off
// cannot be reported, but the activity runs again on another worker.
func newWorkerLog(out io.Writer, level string, stopping *atomic.Bool) (*slog.Logger, error) {
	var parsed slog.Level
	if err := parsed.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("the log level is %q: must be debug, info, warn or error", level)
	}
	return slog.New(stopHandler{slog.NewJSONHandler(out, &slog.HandlerOptions{Level: parsed}), stopping}), nil
}

type stopHandler struct {
	slog.Handler
	stopping *atomic.Bool
}

func (h stopHandler) Handle(ctx context.Context, record slog.Record) error {
	if h.stopping.Load() {
		record.Level = min(record.Level, slog.LevelWarn)
	}
	return h.Handler.Handle(ctx, record)
}

func (h stopHandler) WithAttrs(attributes []slog.Attr) slog.Handler {
	return stopHandler{h.Handler.WithAttrs(attributes), h.stopping}
}

func (h stopHandler) WithGroup(name string) slog.Handler {
	return stopHandler{h.Handler.WithGroup(name), h.stopping}
}
