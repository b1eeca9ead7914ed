package testsuite

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// faultOptions are the options that make the API worse than it could be.
type faultOptions struct {
	seed           uint64
	chances        []chance
	listDelay      time.Duration
	listJitter     time.Duration
	readDelay      time.Duration
	capacityStatus int
}

// WithChance makes each request of an operation go wrong with the given probability; see [API.Inject] for what
// operations there are. Several chances that a request has add up, those of its operation and those of
// any, and at most one of them happens. Altogether they must not be more than 1.
func WithChance(operation string, probability float64, fault Fault) Option {
	return func(o *options) { o.chances = append(o.chances, chance{operation, probability, fault}) }
}

// WithSeed sets what chance depends on; the default is 0. The same seed has the same fault in store for the
// n-th request of an operation, whatever other requests come between.
func WithSeed(seed uint64) Option { return func(o *options) { o.seed = seed } }

// WithListDelay makes lists show a new execution only d after its creation, by the API's clock. It can be read
// by its id at once.
func WithListDelay(d time.Duration) Option { return func(o *options) { o.listDelay = d } }

// WithListJitter makes lists show a new execution later still, by up to d more, which is drawn from the seed for
// each execution. So a later one may show before an earlier one.
func WithListJitter(d time.Duration) Option { return func(o *options) { o.listJitter = d } }

// WithReadDelay makes reads by id, of an execution and whatever belongs to it, answer 404 until d after its
// creation, by the API's clock. Lists show it at once, and it can be cancelled, paused and written to.
func WithReadDelay(d time.Duration) Option { return func(o *options) { o.readDelay = d } }

// WithCapacityStatus sets the status that an execution too many is refused with: 409, 429, which is the
// default, or 503. Only with 429 does the body say that it is the limit that was reached.
func WithCapacityStatus(status int) Option { return func(o *options) { o.capacityStatus = status } }

// check refuses options that cannot be meant.
func (o faultOptions) check() error {
	sums := map[string]float64{}
	for _, c := range o.chances {
		if err := checkOperation(c.operation); err != nil {
			return fmt.Errorf("WithChance: %w", err)
		}
		if !(c.probability >= 0 && c.probability <= 1) { // NaN, too
			return fmt.Errorf("WithChance: %v is not a probability", c.probability)
		}
		sums[c.operation] += c.probability
	}
	for operation, sum := range sums {
		if operation != "" {
			sum += sums[""]
		}
		if sum > 1+1e-9 { // ten times 0.1 is a little more or less than 1
			return fmt.Errorf("WithChance: the chances of operation %q add up to %v", operation, sum)
		}
	}
	if !slices.Contains([]int{0, http.StatusConflict, http.StatusTooManyRequests, http.StatusServiceUnavailable}, o.capacityStatus) {
		return fmt.Errorf("WithCapacityStatus: %d is not one of 409, 429 and 503", o.capacityStatus)
	}
	return nil
}

// listed is whether lists show an execution yet.
func (o faultOptions) listed(e *execution, now time.Time) bool {
	delay := o.listDelay
	if o.listJitter > 0 {
		delay += time.Duration(draw(o.seed, "list", e.seq) * float64(o.listJitter))
	}
	return !now.Before(e.createdAt.Add(delay))
}

// SetConcurrencyLimit changes what [WithConcurrencyLimit] has set, so that capacity can be short for a while.
// What is active goes on, even if it is more than n; what is queued starts as far as there is room now. Zero is
// no limit.
func (a *API) SetConcurrencyLimit(n int) {
	now := a.service.enter()
	defer a.service.mu.Unlock()
	a.service.limit = n
	for _, o := range a.service.organizations {
		a.service.startQueued(o, now)
	}
}
