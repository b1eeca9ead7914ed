package simulation

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/temporal-asteroid/asteroid/activities"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

// conditions are those of a schedule that hold all the time.
type conditions struct {
	ListDelay  span    `json:"listDelay,omitempty"`
	ListJitter span    `json:"listJitter,omitempty"`
	ReadDelay  span    `json:"readDelay,omitempty"`
	Offsets    [3]span `json:"offsets,omitzero"`  // of the workers' clocks from the Temporal server's
	Service    span    `json:"service,omitempty"` // offset of the service's clock
}

// world is everything in one schedule.
type world struct {
	*server
	api        *testsuite.API
	transport  http.RoundTripper
	options    activities.Options
	processes  []*process
	background sync.WaitGroup // what outlives the actors: attempts, and requests on their way
	ended      chan struct{}  // lets dead processes return
	violations []violation
}

// violation is an invariant that does not hold.
type violation struct{ kind, detail string }

// simulate runs act in a world and returns the violations. Everything in it takes virtual time.
func simulate(t *testing.T, c conditions, options activities.Options, act func(w *world)) (violations []violation) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		offset := time.Duration(c.Service)
		api, err := testsuite.StartAPI(
			testsuite.WithoutNetwork(), testsuite.WithClock(func() time.Time { return time.Now().Add(offset) }),
			testsuite.WithListDelay(time.Duration(c.ListDelay)), testsuite.WithListJitter(time.Duration(c.ListJitter)),
			testsuite.WithReadDelay(time.Duration(c.ReadDelay)), testsuite.WithLog(func(string) {}),
		)
		if err != nil {
			panic(err)
		}
		options.LookupGrace = lookupGrace
		w := &world{api: api, transport: api.Transport(), options: options, ended: make(chan struct{})}
		w.server = &server{world: w, runs: map[string]*workflowRun{}}
		for _, offset := range c.Offsets {
			w.processes = append(w.processes, w.newProcess(time.Duration(offset)))
		}
		act(w)
		for _, r := range w.runs {
			r.end()
		}
		close(w.ended)
		w.background.Wait()
		if err := api.Close(); err != nil {
			w.violate("the fake API reports a problem", "%v", err)
		}
		violations = w.violations
	})
	return violations
}

// violate records that an invariant does not hold. kind is the same in every schedule that breaks
// it.
func (w *world) violate(kind, format string, args ...any) {
	w.server.mu.Lock()
	defer w.server.mu.Unlock()
	w.violations = append(w.violations, violation{kind, fmt.Sprintf(format, args...)})
}

var tracing = flag.Bool("simulation.trace", false, "print what happens in each schedule")

// trace prints what happens, if that is wanted.
func (w *world) trace(format string, args ...any) {
	if *tracing {
		fmt.Printf("%s "+format+"\n", append([]any{time.Now().Format("15:04:05.000")}, args...)...)
	}
}

// request makes a request without faults, as the vendor's console does.
func (w *world) request(method, path, body string) []byte {
	r, err := http.NewRequestWithContext(context.Background(), method, w.api.BaseURL()+"/agents/v2/"+path, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	r.Header.Set("X-Api-Key", w.api.APIKey())
	r.Header.Set("Content-Type", "application/json")
	response, err := w.transport.RoundTrip(r)
	if err != nil {
		panic(err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		panic(err)
	}
	return content
}

// actors run at the same time.
type actors struct{ group sync.WaitGroup }

func (a *actors) add(after time.Duration, act func()) {
	a.group.Go(func() {
		time.Sleep(after)
		act()
	})
}

// wait reports whether all actors end within the given time.
func (a *actors) wait(patience time.Duration) bool {
	done := make(chan struct{})
	go func() {
		a.group.Wait()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-time.After(patience):
		return false
	}
}
