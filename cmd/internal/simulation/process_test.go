package simulation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/activities"
)

// process is a worker's process. When it dies, everything in it stops where it is, and another one
// with the same clock takes its place.
type process struct {
	offset     time.Duration // of its clock
	activities *activities.Activities
	attempts   []*attempt
}

// newProcess starts a worker.
func (w *world) newProcess(offset time.Duration) *process {
	options := w.options
	options.Now = func() time.Time { return time.Now().Add(offset) }
	options.Events = asteroid.EventsPoll
	options.RequestTimeout = requestTimeout
	options.Connections = map[string]asteroid.Connection{asteroid.DefaultConnection: {
		APIKey: asteroid.StaticAPIKey(w.api.APIKey()), BaseURL: w.api.BaseURL(), OrganizationID: w.api.OrganizationID(),
		Transport: breakTransport(&network{w}),
	}}
	made, err := activities.New(options)
	if err != nil {
		panic(err)
	}
	return &process{offset: offset, activities: made}
}

// kill ends a process.
func (s *server) kill(dying *process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, p := range s.processes {
		if p == dying {
			s.processes[i] = s.newProcess(p.offset)
		}
	}
	for _, a := range dying.attempts {
		a.mu.Lock()
		a.dead = true
		a.mu.Unlock()
	}
}

const requestTimeout = 10 * time.Second

// network carries the requests of attempts to the fake API, with the faults that are planned.
type network struct{ *world }

// latency is the time that a request or a response is on its way.
const latency = 20 * time.Millisecond

func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	a := r.Context().Value(attemptContext{}).(*attempt)
	plan := a.nextExchange()
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		_ = r.Body.Close()
	}
	a.die()
	response, err := n.exchange(r, body, a, plan)
	n.trace("%s/%s %s#%d %s %s %s: %s", a.workflow.runID, a.id, a.name, a.number, r.Method, r.URL.Path, plan.Fault, describe(response, err))
	a.die()
	if a.isDead() {
		<-n.ended
		return nil, errDead
	}
	if err != nil {
		return nil, err
	}
	response.Body = &dyingBody{ReadCloser: response.Body, n: n, a: a, left: response.ContentLength / 2}
	return response, nil
}

// dyingBody is a response's body, in the middle of which the process can die.
type dyingBody struct {
	io.ReadCloser
	n      *network
	a      *attempt
	left   int64 // until the middle
	passed bool
}

func (b *dyingBody) Read(p []byte) (int, error) {
	if b.left > 0 {
		read, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
		b.left -= int64(read)
		return read, err
	}
	if !b.passed {
		b.passed = true
		b.a.die()
	}
	if b.a.isDead() {
		<-b.n.ended
		return 0, errDead
	}
	return b.ReadCloser.Read(p)
}

var (
	errDead = errors.New("the process is dead")
	errLost = errors.New("connection reset by peer")
)

// exchange carries out one request.
func (n *network) exchange(r *http.Request, body []byte, a *attempt, plan exchangePlan) (*http.Response, error) {
	if a.isDead() {
		return nil, errDead
	}
	switch plan.Fault {
	case refused:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	case lostRequest:
		return nil, n.wait(r.Context(), latency, errLost)
	case lateCommit:
		n.background.Go(func() {
			time.Sleep(time.Duration(plan.Delay))
			response, err := n.deliver(context.WithoutCancel(r.Context()), r, body)
			if err == nil {
				_ = response.Body.Close()
			}
		})
		return nil, n.wait(r.Context(), latency, errLost)
	case silentCommit: // the client hears nothing until its own timeout
		n.background.Go(func() {
			time.Sleep(min(time.Duration(plan.Delay), requestTimeout))
			if response, err := n.deliver(context.WithoutCancel(r.Context()), r, body); err == nil {
				_ = response.Body.Close()
			}
		})
		<-r.Context().Done()
		return nil, context.Cause(r.Context())
	case answered:
		if err := n.wait(r.Context(), 2*latency, nil); err != nil {
			return nil, err
		}
		return answer(r, plan), nil
	}
	if err := n.wait(r.Context(), latency+time.Duration(plan.Delay), nil); err != nil {
		return nil, err
	}
	response, err := n.deliver(r.Context(), r, body)
	if err != nil {
		return nil, err
	}
	if err := n.wait(r.Context(), latency, nil); err != nil {
		_ = response.Body.Close()
		return nil, err
	}
	switch plan.Fault {
	case lostResponse:
		_ = response.Body.Close()
		return nil, errLost
	case answeredAfter:
		_ = response.Body.Close()
		return answer(r, plan), nil
	case truncated, brokenOff:
		half, _ := io.ReadAll(response.Body)
		half = half[:len(half)/2]
		response.Body = io.NopCloser(io.MultiReader(bytes.NewReader(half), ending{plan.Fault == brokenOff}))
		response.ContentLength = -1
		response.Header.Del("Content-Length")
	}
	return response, nil
}

func describe(response *http.Response, err error) string {
	if err != nil {
		return err.Error()
	}
	return response.Status
}

// ending is the end of a body, or its breaking off.
type ending struct{ broken bool }

func (e ending) Read([]byte) (int, error) {
	if e.broken {
		return 0, errLost
	}
	return 0, io.EOF
}

// deliver carries a request to the fake.
func (n *network) deliver(ctx context.Context, r *http.Request, body []byte) (*http.Response, error) {
	sent := r.Clone(ctx)
	sent.Body, sent.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return n.transport.RoundTrip(sent)
}

// wait takes virtual time, and returns err, or the cause of the end of the context if that comes
// first.
func (n *network) wait(ctx context.Context, d time.Duration, err error) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// answer returns a response that does not come from the API.
func answer(r *http.Request, plan exchangePlan) *http.Response {
	header, body := http.Header{"Content-Type": {"text/html"}}, "<html>gateway</html>"
	if plan.Status/100 == 4 {
		header.Set("Content-Type", "application/json")
		body = fmt.Sprintf(`{"code":%d,"message":"no"}`, plan.Status)
	}
	if plan.Status == http.StatusTooManyRequests {
		header.Set("Retry-After", fmt.Sprint(int(max(time.Duration(plan.Delay), time.Second)/time.Second)))
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", plan.Status, http.StatusText(plan.Status)), StatusCode: plan.Status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}
}
