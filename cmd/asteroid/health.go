package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// readiness says whether the worker reaches all that it needs. A background loop checks it, so that
// probes cost nothing and do not wait.
type readiness struct {
	check  func(context.Context) error
	logger *slog.Logger

	mu       sync.Mutex
	problems []string // none: ready
	draining bool
}

func newReadiness(logger *slog.Logger, check func(context.Context) error) *readiness {
	return &readiness{check: check, logger: logger, problems: []string{"the first check is under way"}}
}

// run checks at once and then at each interval, until ctx ends.
func (r *readiness) run(ctx context.Context, interval time.Duration) {
	ticks := time.NewTicker(interval)
	defer ticks.Stop()
	for ctx.Err() == nil {
		problems := problemLines(r.check(ctx))
		if ctx.Err() != nil { // the check was cut short
			return
		}
		r.set(problems)
		select {
		case <-ticks.C:
		case <-ctx.Done():
		}
	}
}

// set replaces the problems, and logs each one that is new.
func (r *readiness) set(problems []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.draining {
		return
	}
	for _, problem := range problems {
		if !slices.Contains(r.problems, problem) {
			r.logger.Warn("Not ready", "Problem", problem)
		}
	}
	if len(problems) == 0 && len(r.problems) > 0 {
		r.logger.Info("Ready")
	}
	r.problems = problems
}

// drain makes the worker unready because it stops.
func (r *readiness) drain() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.problems, r.draining = []string{"the worker stops"}, true
}

// ServeHTTP responds 200 if the worker is ready, else 503 with a line for each problem.
func (r *readiness) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	r.mu.Lock()
	problems := r.problems
	r.mu.Unlock()
	if len(problems) > 0 {
		http.Error(w, strings.Join(problems, "\n"), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}

// errorKind is what an application error of Temporal adds to its message.
var errorKind = regexp.MustCompile(` \(type: \S+, retryable: (true|false)\)$`)

// problemLines returns a line for each of the errors that are joined in err, in the operator's
// words.
func problemLines(err error) (lines []string) {
	if err == nil {
		return nil
	}
	for line := range strings.Lines(err.Error()) {
		lines = append(lines, inFieldNames(errorKind.ReplaceAllString(strings.TrimSpace(line), "")))
	}
	return lines
}

// healthHandler serves /healthz, which responds while the process is alive, /readyz and /metrics.
func healthHandler(ready, metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "alive\n") })
	mux.Handle("GET /readyz", ready)
	mux.Handle("GET /metrics", metrics)
	return mux
}
