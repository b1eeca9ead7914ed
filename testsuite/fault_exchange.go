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

// faultyExchange is a request that a [Fault] handles.
type faultyExchange struct {
	service *service
	entry   *Request
	w       http.ResponseWriter // writes to the client
	r       *http.Request
	next    http.Handler
}

// bufferedResponse is a response that has not been sent.
type bufferedResponse struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (re *bufferedResponse) Header() http.Header { return re.header }

func (re *bufferedResponse) WriteHeader(status int) {
	if re.status == 0 {
		re.status = status
	}
}

func (re *bufferedResponse) Write(content []byte) (int, error) {
	re.WriteHeader(http.StatusOK)
	return re.body.Write(content)
}

// serveBuffered serves the request and records its status, but sends no response.
func (x *faultyExchange) serveBuffered() *bufferedResponse {
	response := &bufferedResponse{header: x.w.Header().Clone()}
	x.next.ServeHTTP(x.trackStatus(response), x.r)
	response.WriteHeader(http.StatusOK) // the default, as in net/http
	return response
}

// trackStatus wraps w so that the ledger records the status written to it.
func (x *faultyExchange) trackStatus(w http.ResponseWriter) http.ResponseWriter {
	return &statusWriter{ResponseWriter: w, service: x.service, entry: x.entry}
}

// recordStatus records the status of a request that is not carried out, before its client sees it.
func (x *faultyExchange) recordStatus(status int) {
	x.service.mu.Lock()
	defer x.service.mu.Unlock()
	x.entry.Status = status
}

// drain reads the request's body. A client that is still sending may not read the response.
func (x *faultyExchange) drain() { _, _ = io.Copy(io.Discard, x.r.Body) }

// answer sends the given response instead of the real one.
func (x *faultyExchange) answer(status int, body string, header []string) {
	for i := 0; i+1 < len(header); i += 2 {
		x.w.Header().Set(header[i], header[i+1])
	}
	x.w.WriteHeader(status)
	_, _ = io.WriteString(x.w, body) // fails only when the client is gone
}

// send sends a buffered response. A length above zero replaces its Content-Length.
func (x *faultyExchange) send(response *bufferedResponse, length int) {
	maps.Copy(x.w.Header(), response.header)
	if length > 0 {
		x.w.Header().Set("Content-Length", strconv.Itoa(length))
	}
	x.w.WriteHeader(response.status)
	_, _ = x.w.Write(response.body.Bytes()) // fails only when the client is gone
}

// sendHalf sends the header and half of the body.
func (x *faultyExchange) sendHalf(response *bufferedResponse) {
	length := response.body.Len()
	if length == 0 {
		return
	}
	response.body.Truncate(length / 2)
	x.send(response, length)
	_ = http.NewResponseController(x.w).Flush() // fails only when the client is gone
}

// cut closes the connection.
func (x *faultyExchange) cut() { x.hijack(func(net.Conn) {}) }

// reset resets the connection, so that the client does not take the close for the end of the body.
func (x *faultyExchange) reset() {
	x.hijack(func(conn net.Conn) {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // fails only when the connection is gone
		}
	})
}

func (x *faultyExchange) hijack(prepare func(net.Conn)) {
	conn, _, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // closes the connection, too
	}
	prepare(conn)
	_ = conn.Close()
}

// commitLate closes the connection and serves the request after the given time.
func (x *faultyExchange) commitLate(after time.Duration) {
	defer x.cut()
	r, discard, err := x.bufferBody(context.WithoutCancel(x.r.Context()))
	if err != nil {
		return
	}
	late := *x
	late.w, late.r = &bufferedResponse{header: x.w.Header().Clone()}, r
	started := x.service.lateCommits.start(func() {
		defer discard()
		if x.service.sleep(r.Context(), after) {
			late.serveBuffered()
		}
	})
	if !started {
		discard()
	}
}

// stall serves the request after d, if its client still waits.
func (x *faultyExchange) stall(d time.Duration) {
	// The server notices that the client is gone only after the body was read.
	r, discard, err := x.bufferBody(x.r.Context())
	if err != nil {
		x.cut()
		return
	}
	defer discard()
	if !x.service.sleep(r.Context(), d) {
		x.cut()
		return
	}
	x.next.ServeHTTP(x.trackStatus(x.w), r)
}

// bufferBody reads the body and returns the same request with the buffered body under another
// context.
func (x *faultyExchange) bufferBody(ctx context.Context) (r *http.Request, discard func(), err error) {
	received, err := x.service.spool.store(x.r.Body)
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
		_ = body.Close() // opened for reading only
		received.discard()
	}, nil
}

// sleep waits for d. It returns false early if the context ends or the API is closed.
func (s *service) sleep(ctx context.Context, d time.Duration) bool {
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
