package devserver

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"

	serverlog "go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
)

// serverLogger passes the server's log to a slog.Logger. The server's own logger exits the process
// on a fatal error. This one panics with a fatalError, which Start returns. While stopping it ends
// only the goroutine, because a listener that is stopped before it serves also logs a fatal error.
type serverLogger struct {
	logger   *slog.Logger
	stopping *atomic.Bool
}

var _ serverlog.Logger = serverLogger{}

func (l serverLogger) log(level slog.Level, msg string, tags []tag.Tag) {
	if !l.logger.Enabled(context.Background(), level) {
		return
	}
	attrs := make([]slog.Attr, len(tags))
	for i, t := range tags {
		attrs[i] = slog.Any(t.Key(), t.Value())
	}
	l.logger.LogAttrs(context.Background(), level, msg, attrs...)
}

func (l serverLogger) Debug(msg string, tags ...tag.Tag)  { l.log(slog.LevelDebug, msg, tags) }
func (l serverLogger) Info(msg string, tags ...tag.Tag)   { l.log(slog.LevelInfo, msg, tags) }
func (l serverLogger) Warn(msg string, tags ...tag.Tag)   { l.log(slog.LevelWarn, msg, tags) }
func (l serverLogger) Error(msg string, tags ...tag.Tag)  { l.log(slog.LevelError, msg, tags) }
func (l serverLogger) DPanic(msg string, tags ...tag.Tag) { l.log(slog.LevelError, msg, tags) }
func (l serverLogger) Panic(msg string, tags ...tag.Tag)  { panic(fatal(msg, tags)) }
func (l serverLogger) Fatal(msg string, tags ...tag.Tag) {
	if l.stopping.Load() {
		runtime.Goexit()
	}
	panic(fatal(msg, tags))
}

// fatalError is an error after which the server would exit the process.
type fatalError struct{ text string }

func (e fatalError) Error() string { return e.text }

func fatal(msg string, tags []tag.Tag) fatalError {
	var text strings.Builder
	text.WriteString(msg)
	for _, t := range tags {
		fmt.Fprintf(&text, ", %s: %v", t.Key(), t.Value())
	}
	return fatalError{text.String()}
}
