package testsuite

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// faultOptions are the options that make the API unreliable.
type faultOptions struct {
	seed           uint64
	chances        []chance
	listDelay      time.Duration
	listJitter     time.Duration
	readDelay      time.Duration
	capacityStatus int
}

// WithChance makes each request of an operation go wrong with the given probability. For the names
// of operations, see [API.Inject]. A request has the chances of its operation and those of the
// empty operation. They must add up to at most 1, and at most one of them happens.
func WithChance(operation string, probability float64, fault Fault) Option {
	return func(o *options) { o.chances = append(o.chances, chance{operation, probability, fault}) }
}

// WithSeed sets the seed of all random choices; the default is 0. With the same seed, the n-th
// request of an operation meets the same fault, whatever other requests come between.
func WithSeed(seed uint64) Option { return func(o *options) { o.seed = seed } }

// WithListDelay hides a new execution from lists until d after its creation, by the API's clock.
// Reads by id find it at once.
func WithListDelay(d time.Duration) Option { return func(o *options) { o.listDelay = d } }

// WithListJitter adds up to d to the delay of [WithListDelay], drawn from the seed for each
// execution. So a later execution may be listed before an earlier one.
func WithListJitter(d time.Duration) Option { return func(o *options) { o.listJitter = d } }

// WithReadDelay makes reads by id, of an execution and of all that belongs to it, answer 404 until
// d after its creation, by the API's clock. Lists show it at once, and requests that cancel it,
// pause it or send it messages succeed.
func WithReadDelay(d time.Duration) Option { return func(o *options) { o.readDelay = d } }

// WithCapacityStatus sets the status of an execute at the concurrency limit: 409, 429 (the default)
// or 503. Only the body of a 429 has the type limit-reached.
func WithCapacityStatus(status int) Option { return func(o *options) { o.capacityStatus = status } }

// validateFaults returns what is wrong with the options.
func (o faultOptions) validateFaults() error {
	sums := map[string]float64{}
	for _, c := range o.chances {
		if err := validateOperation(c.operation); err != nil {
			return fmt.Errorf("WithChance: %w", err)
		}
		if !(c.probability >= 0 && c.probability <= 1) { // refuses NaN, too
			return fmt.Errorf("WithChance: %v is not a probability, use a number from 0 to 1", c.probability)
		}
		sums[c.operation] += c.probability
	}
	for operation, sum := range sums {
		if operation != "" {
			sum += sums[""]
		}
		if sum > 1+1e-9 { // rounding: ten times 0.1 is not exactly 1
			return fmt.Errorf("WithChance: the chances of operation %q add up to %v, more than 1", operation, sum)
		}
	}
	if !slices.Contains([]int{0, http.StatusConflict, http.StatusTooManyRequests, http.StatusServiceUnavailable}, o.capacityStatus) {
		return fmt.Errorf("WithCapacityStatus: %d is not one of 409, 429 and 503", o.capacityStatus)
	}
	return nil
}

// listed returns whether lists show an execution yet.
func (o faultOptions) listed(e *execution, now time.Time) bool {
	delay := o.listDelay
	if o.listJitter > 0 {
		delay += time.Duration(draw(o.seed, "list", e.seq) * float64(o.listJitter))
	}
	return !now.Before(e.createdAt.Add(delay))
}

// SetConcurrencyLimit changes the limit of [WithConcurrencyLimit], so that a test can make capacity
// short for a while. Active executions go on even if there are more than n. Queued ones start up to
// the new limit. Zero is no limit.
func (a *API) SetConcurrencyLimit(n int) {
	now := a.service.lockAndAdvance()
	defer a.service.mu.Unlock()
	a.service.limit = n
	for _, o := range a.service.organizations {
		a.service.startQueued(o, now)
	}
}
