package testsuite

import (
	"cmp"
	"context"
	"crypto/rsa"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	webhookWorkers  = 16 // concurrent deliveries
	webhookAttempts = 5
	webhookBackoff  = 200 * time.Millisecond // before the second attempt; doubles each time
	webhookTimeout  = 10 * time.Second
)

// webhookSender delivers webhooks. With the wall clock it also advances executions, so that their
// webhooks are sent on time. A nil sender does nothing.
type webhookSender struct {
	options    options
	key        *rsa.PrivateKey
	client     *http.Client
	ctx        context.Context // of the requests; cancelled when the API is closed
	cancel     context.CancelFunc
	background backgroundTasks
	due        chan struct{} // signals that the time of the next event has changed
	ready      chan struct{} // signals that the queue has grown

	mu     sync.Mutex // guards the fields below
	copies int        // made so far
	queue  []*delivery
}

// delivery is one copy of a webhook.
type delivery struct {
	body      []byte
	signature string // empty until the first attempt
	attempts  int
}

func newWebhookSender(o options) *webhookSender {
	key := o.webhookKey
	if key == nil {
		key = NewWebhookKey()
	}
	w := &webhookSender{
		options: o, key: key, due: make(chan struct{}, 1), ready: make(chan struct{}, webhookWorkers),
		client: &http.Client{
			Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: webhookWorkers},
			Timeout:       webhookTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	return w
}

func (w *webhookSender) start(s *service) {
	if w == nil {
		return
	}
	for range webhookWorkers {
		w.background.start(w.deliverQueued)
	}
	if !s.virtual {
		w.background.start(func() { w.advanceService(s) })
	}
}

// stop cancels all tasks and waits for them, which takes no time.
func (w *webhookSender) stop() {
	if w == nil {
		return
	}
	w.cancel()
	w.background.stop()
	w.client.CloseIdleConnections()
}

// reschedule announces that an execution has a new time to wake.
func (w *webhookSender) reschedule() {
	if w != nil {
		wake(w.due)
	}
}

// advanceService advances the service's executions whenever an event is due.
func (w *webhookSender) advanceService(s *service) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-w.due:
		case <-w.ctx.Done():
			return
		}
		now := s.lockAndAdvance()
		next, ok := s.timeline.soonest()
		s.mu.Unlock()
		if ok {
			timer.Reset(next.Sub(now))
		}
	}
}

// send queues the copies of a webhook that are not lost, at once or after their delay.
func (w *webhookSender) send(body []byte) {
	w.mu.Lock()
	first := w.copies
	w.copies += max(1, w.options.webhookFaults.Copies)
	last := w.copies
	w.mu.Unlock()
	for n := first; n < last; n++ {
		if draw(w.options.seed, "webhook lost", n) < w.options.webhookFaults.Lost {
			continue
		}
		delay := time.Duration(draw(w.options.seed, "webhook delay", n) * float64(w.options.webhookFaults.Jitter))
		w.enqueueAfter(delay, &delivery{body: body})
	}
}

func (w *webhookSender) enqueueAfter(delay time.Duration, d *delivery) {
	if delay <= 0 {
		w.enqueue(d)
		return
	}
	w.background.start(func() {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
			w.enqueue(d)
		case <-w.ctx.Done():
		}
	})
}

func (w *webhookSender) enqueue(d *delivery) {
	w.mu.Lock()
	w.queue = append(w.queue, d)
	w.mu.Unlock()
	wake(w.ready)
}

// wake signals a channel. A full channel needs no further signal: its receivers have not taken all
// of the earlier ones.
func wake(to chan<- struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}

func (w *webhookSender) dequeue() *delivery {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 {
		return nil
	}
	d := w.queue[0]
	w.queue[0] = nil
	w.queue = w.queue[1:]
	return d
}

// deliverQueued delivers queued webhooks until the API is closed.
func (w *webhookSender) deliverQueued() {
	for {
		select {
		case <-w.ready:
		case <-w.ctx.Done():
			return
		}
		for d := w.dequeue(); d != nil && w.ctx.Err() == nil; d = w.dequeue() {
			w.deliver(d)
		}
	}
}

// deliver makes one attempt and schedules the next if it fails.
func (w *webhookSender) deliver(d *delivery) {
	d.signature = cmp.Or(d.signature, SignWebhook(w.key, d.body))
	d.attempts++
	err := w.post(d)
	switch {
	case err == nil || w.ctx.Err() != nil:
	case d.attempts == webhookAttempts:
		w.options.log(fmt.Sprintf("gave up on a webhook after %d attempts: %v", d.attempts, err))
	default:
		w.enqueueAfter(webhookBackoff<<(d.attempts-1), d)
	}
}

func (w *webhookSender) post(d *delivery) error {
	r, err := newWebhookRequest(w.ctx, w.options.webhookURL, d.signature, d.body)
	if err != nil {
		return err
	}
	response, err := w.client.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10)) // lets the connection be reused
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return fmt.Errorf("%s answered %s", w.options.webhookURL, response.Status)
	}
	return nil
}
