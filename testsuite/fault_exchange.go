package testsuite

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"time"
)

// exchange is a request that goes wrong.
type exchange struct {
	service *service
	entry   *Request
	w       http.ResponseWriter // what is written here, the client sees
	r       *http.Request
	next    http.Handler
}

// recording is an answer that has not been sent.
type recording struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (re *recording) Header() http.Header { return re.header }

func (re *recording) WriteHeader(status int) {
	if re.status == 0 {
		re.status = status
	}
}

func (re *recording) Write(content []byte) (int, error) {
	re.WriteHeader(http.StatusOK)
	return re.body.Write(content)
}

// carryOut has the request served, and its status entered, without sending the answer.
func (x *exchange) carryOut() *recording {
	answer := &recording{header: x.w.Header().Clone()}
	x.next.ServeHTTP(x.ledgered(answer), x.r)
	answer.WriteHeader(http.StatusOK) // if nothing was written, as net/http does
	return answer
}

func (x *exchange) ledgered(w http.ResponseWriter) http.ResponseWriter {
	return &statusWriter{ResponseWriter: w, service: x.service, entry: x.entry}
}

// enter notes the status of a request that is not carried out, before the client can see it.
func (x *exchange) enter(status int) {
	x.service.mu.Lock()
	defer x.service.mu.Unlock()
	x.entry.Status = status
}

// drain reads the request's body, as a client that is still sending it may not see the answer.
func (x *exchange) drain() { _, _ = io.Copy(io.Discard, x.r.Body) }

// answer sends something else than the real answer.
func (x *exchange) answer(status int, body string, header []string) {
	for i := 0; i+1 < len(header); i += 2 {
		x.w.Header().Set(header[i], header[i+1])
	}
	x.w.WriteHeader(status)
	_, _ = io.WriteString(x.w, body) // an error is the client's going away
}

// send sends what was recorded, with a length that it may not have.
func (x *exchange) send(answer *recording, length int) {
	maps.Copy(x.w.Header(), answer.header)
	if length > 0 {
		x.w.Header().Set("Content-Length", strconv.Itoa(length))
	}
	x.w.WriteHeader(answer.status)
	_, _ = x.w.Write(answer.body.Bytes()) // likewise
}

// sendHalf sends an answer's header and half of its body.
func (x *exchange) sendHalf(answer *recording) {
	length := answer.body.Len()
	if length == 0 {
		return
	}
	answer.body.Truncate(length / 2)
	x.send(answer, length)
	_ = http.NewResponseController(x.w).Flush() // likewise
}

// cut closes the connection.
func (x *exchange) cut() { x.hijack(func(net.Conn) {}) }

// reset closes the connection with a reset, so that the client does not take it for the end of the answer.
func (x *exchange) reset() {
	x.hijack(func(conn net.Conn) {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a connection that is gone needs no reset
		}
	})
}

func (x *exchange) hijack(prepare func(net.Conn)) {
	conn, _, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // which closes the connection, too
	}
	prepare(conn)
	_ = conn.Close()
}

// commitLate carries the request out when its client is long gone.
func (x *exchange) commitLate(after time.Duration) {
	defer x.cut()
	r, discard, err := x.receive(context.WithoutCancel(x.r.Context()))
	if err != nil {
		return
	}
	late := *x
	late.w, late.r = &recording{header: x.w.Header().Clone()}, r
	started := x.service.late.start(func() {
		defer discard()
		if x.service.pass(r.Context(), after) {
			late.carryOut()
		}
	})
	if !started {
		discard()
	}
}

// stall serves the request late, but its client waits.
func (x *exchange) stall(d time.Duration) {
	// Only once the body is read does the server notice that the client goes away.
	r, discard, err := x.receive(x.r.Context())
	if err != nil {
		x.cut()
		return
	}
	defer discard()
	if !x.service.pass(r.Context(), d) {
		x.cut()
		return
	}
	x.next.ServeHTTP(x.ledgered(x.w), r)
}

// receive reads the body and returns the same request with it, for use under another context.
func (x *exchange) receive(ctx context.Context) (r *http.Request, discard func(), err error) {
	received, err := x.service.spool.take(x.r.Body)
	if err != nil {
		return nil, nil, err
	}
	body, err := received.open()
	if err != nil {
		received.discard()
		return nil, nil, err
	}
	r = x.r.Clone(ctx)
	r.Body = body
	return r, func() {
		_ = body.Close() // only read
		received.discard()
	}, nil
}

// pass waits for d, or less if the context or the API ends; then it returns false.
func (s *service) pass(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-s.closing:
	}
	return false
}
