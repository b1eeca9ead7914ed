package testsuite

import (
	"fmt"
	"strings"
	"sync"
)

// Logger is a logger for the SDK's test environments. See [NewLogger].
type Logger struct {
	mu  sync.Mutex
	log func(format string, args ...any) // nil once the test has ended
}

// NewLogger returns a logger that leaves the output of a test to its failures. It passes warnings
// and errors to t.Logf, which prints them if the test fails or is run with -v, and drops the rest:
//
//	suite.SetLogger(testsuite.NewLogger(t))
func NewLogger(t T) *Logger {
	l := &Logger{log: t.Logf}
	t.Cleanup(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.log = nil // an activity may outlive the test
	})
	return l
}

// Debug drops the message.
func (l *Logger) Debug(string, ...any) {}

// Info drops the message.
func (l *Logger) Info(string, ...any) {}

// Warn logs the message.
func (l *Logger) Warn(message string, keyvals ...any) { l.print("WARN", message, keyvals) }

// Error logs the message.
func (l *Logger) Error(message string, keyvals ...any) { l.print("ERROR", message, keyvals) }

func (l *Logger) print(level, message string, keyvals []any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.log != nil {
		l.log("%s", strings.TrimSpace(level+" "+message+" "+fmt.Sprintln(keyvals...)))
	}
}
