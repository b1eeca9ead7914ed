package testsuite

import (
	"fmt"
	"time"
)

// The SDK's workflow test environment skips time. If the API's clock does not follow it, the agent
// works on while the workflow polls without a pause, and the test seems to hang. The plugin's
// metadata tell which executions such a workflow started.
const (
	namespaceMetadata        = "temporal_namespace"
	testEnvironmentNamespace = "default-test-namespace"
)

// More requests than paceLimit within paceWindow come from a client whose time is skipped: others
// wait a second or more between two of them.
const (
	paceLimit  = 100
	paceWindow = 5 * time.Second
)

// pace counts the requests within a window of the API's time.
type pace struct {
	since time.Time
	count int
}

// exceeded counts one more request and returns whether it is one too many.
func (p *pace) exceeded(now time.Time) bool {
	if now.Sub(p.since) > paceWindow {
		*p = pace{since: now}
	}
	p.count++
	return p.count > paceLimit
}

// followClocks says what a test must set so that nothing but the environment skips time.
const followClocks = "Let the API and the plugin follow the environment's clock: testsuite.WithClock(env.Now) for NewAPI, " +
	"and Now: env.Now in the plugin's Options."

// countRead fails the test, and the execution so that the test ends, if the execution is read as
// often as only a workflow reads it whose clock is another one.
func (e *execution) countRead(now time.Time) {
	if !working(e.status) || e.metadata[namespaceMetadata] != testEnvironmentNamespace || !e.reads.exceeded(now) {
		return
	}
	problem := fmt.Sprintf("The test mixes clocks: execution %s of agent %q was read %d times while %s passed for the API. "+
		"The workflow test environment skips time. %s",
		e.id, e.agent.name, e.reads.count, now.Sub(e.reads.since).Round(time.Millisecond), followClocks)
	e.service.report(problem)
	e.fail(now, problem)
}

// hints returns what a test may lack if it fails, as far as its requests tell.
func (s *service) hints() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var hints []string
	if len(s.requests) == 0 {
		hints = append(hints, "The API received no request. If an activity or a workflow of Asteroid is not registered, or cannot be found, "+
			"give the environment the plugin: env.SetWorkerOptions(worker.Options{Plugins: []worker.Plugin{plugin}}). "+
			"If OnActivity panics although it has the plugin, see Mocks in the documentation of this package. "+
			"If the plugin called another server, give its Connection the BaseURL of this API.")
	}
	if s.futile > paceLimit {
		hints = append(hints, fmt.Sprintf("The API refused an execute for lack of capacity, or listed no execution, %d times. "+
			"If the workflow waited for that in vain, a clock may stand still for it. %s", s.futile, followClocks))
	}
	return hints
}
