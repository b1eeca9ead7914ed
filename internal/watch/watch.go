// Package watch notifies the workflows of a namespace when their executions change.
//
// [New] returns a [Watch] over the executions of one connection. [Watch.Run] makes rounds:
//
//  1. A scan lists the active executions, and the terminal ones that were created lately.
//  2. A comparison with the tracked executions yields notifications. Tracked ones that are no
//     longer listed are read on their own.
//  3. Each notification is signalled to its workflow. One that fails is repeated after a back-off.
//
// The tracked executions, packed, are the activity's heartbeat details, recorded after each round
// that notified. The next attempt, or the next watch, continues from them and notifies of what
// changed in between. Beside them is a [Proof] that the watch lives. [Pace] sets the time between
// rounds.
package watch

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/parallel"
)

// maxConcurrent bounds the requests of one kind that are under way together.
const maxConcurrent = 16

// Watch is one attempt of asteroid.WatchExecutions.
type Watch struct {
	client           *client.Client
	organizationID   string
	allOrganizations bool // the key spans several
	namespace        string
	now              func() time.Time
	signal           func(ctx context.Context, workflowID string, event asteroid.ExecutionEvent) error
	trusts           func(metadata map[string]string) bool
	rereadDelay      time.Duration // before an implausible list is read again, and between batches of reads
	sleep            func(ctx context.Context, d time.Duration) bool
	fence            func(ctx context.Context) bool // reports whether this watch may still notify
	signalled        func(err error)                // see Host.Signalled

	tracked     map[string]*tracked
	serviceTime time.Time              // a lower bound of the service's clock at scannedAt
	scannedAt   time.Time              // when the last complete scan began, by this worker's clock
	listed      map[string]observation // by the last complete scan
	reported    map[string]time.Time   // creation times, or later ones, of the terminal executions that would be listed again
	activePages int                    // of the last list of active executions
	pagesRead   int                    // by the last scan
	concurrent  int                    // list requests that are under way together; the rate limit lowers it
	limited     atomic.Bool            // the rate limit delayed the last scan
	scanEnd     time.Time              // when a scan gives up to wait for the rate limit

	denied  error // why signals are refused, whatever the workflow
	changed bool  // in this round, an execution was new, changed or gone
	unread  bool  // executions remain to be read
}

// New returns a watch over the executions that workflows of a namespace started. packed is what Run
// returned or recorded before, and may be empty. signal sends an event to a workflow.
func New(c *client.Client, namespace string, now func() time.Time, packed []byte,
	signal func(ctx context.Context, workflowID string, event asteroid.ExecutionEvent) error) *Watch {
	w := &Watch{
		client: c, namespace: namespace, now: now, signal: signal, trusts: func(map[string]string) bool { return true },
		rereadDelay: time.Second, sleep: parallel.Sleep, concurrent: maxConcurrent,
		fence: func(context.Context) bool { return true }, signalled: func(error) {},
	}
	k := unpack(packed)
	w.serviceTime, w.tracked, w.reported = k.serviceTime, k.tracked, k.reported
	return w
}

func (w *Watch) pack() []byte { return known{w.serviceTime, w.tracked, w.reported}.pack() }

// Trust makes the watch ignore executions whose metadata the function does not trust. Without it
// every metadata is trusted.
func (w *Watch) Trust(trusts func(metadata map[string]string) bool) { w.trusts = trusts }
