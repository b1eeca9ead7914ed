package testsuite

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Fault is something that goes wrong with one request. The zero Fault changes nothing: injected
// first, it lets requests pass before the next injected fault.
type Fault struct {
	name  string
	serve func(x *faultyExchange)
}

// LoseResponse carries the request out and then closes the connection without sending a byte.
func LoseResponse() Fault {
	return Fault{"LoseResponse", func(x *faultyExchange) {
		x.serveBuffered()
		x.cut()
	}}
}

// CommitLate reads the request, closes the connection at once and carries the request out after the
// given time, by the real clock. Closing the API drops the requests that are not carried out yet.
func CommitLate(after time.Duration) Fault {
	return Fault{"CommitLate", func(x *faultyExchange) { x.commitLate(after) }}
}

// Answer sends the given response instead of carrying the request out. header is a list of names
// and values in turn. Answer panics if a value is missing or if the status is not from 200 to 599.
func Answer(status int, body string, header ...string) Fault {
	requireValidAnswer(status, header)
	return Fault{fmt.Sprint("Answer ", status), func(x *faultyExchange) {
		x.drain()
		x.recordStatus(status)
		x.answer(status, body, header)
	}}
}

// AnswerAfterCommit carries the request out, but sends the given response, as a gateway may. It
// takes the arguments of [Answer].
func AnswerAfterCommit(status int, body string, header ...string) Fault {
	requireValidAnswer(status, header)
	return Fault{fmt.Sprint("AnswerAfterCommit ", status), func(x *faultyExchange) {
		x.serveBuffered()
		x.answer(status, body, header)
	}}
}

// ResetMidBody carries the request out, sends the header and the first half of the body, and resets
// the connection. It sends nothing of a response without a body. How much arrives before the reset
// depends on the client's system.
func ResetMidBody() Fault {
	return Fault{"ResetMidBody", func(x *faultyExchange) {
		response := x.serveBuffered()
		x.sendHalf(response)
		x.reset()
	}}
}

// AlterBody carries the request out and flips one byte in the middle of the body. The length and
// the headers, including any checksum, stay unchanged.
func AlterBody() Fault {
	return Fault{"AlterBody", func(x *faultyExchange) {
		response := x.serveBuffered()
		if body := response.body.Bytes(); len(body) > 0 {
			body[len(body)/2] ^= 0xff
		}
		x.send(response, response.body.Len())
	}}
}

// Stall waits for d, by the real clock, and then serves the request normally. If the client closes
// the connection or the API is closed meanwhile, the request is not carried out.
func Stall(d time.Duration) Fault {
	return Fault{"Stall", func(x *faultyExchange) { x.stall(d) }}
}

// TruncateJSON carries the request out and sends only the first half of the body. The body may have
// any type. Content-Length is that of the half, so that the client sees a complete response.
func TruncateJSON() Fault {
	return Fault{"TruncateJSON", func(x *faultyExchange) {
		response := x.serveBuffered()
		response.body.Truncate(response.body.Len() / 2)
		response.header.Del("Content-Length") // present for a file
		x.send(response, response.body.Len())
	}}
}

// WrongContentType carries the request out and sends the response as text/html.
func WrongContentType() Fault {
	return Fault{"WrongContentType", func(x *faultyExchange) {
		response := x.serveBuffered()
		response.header.Set("Content-Type", "text/html; charset=utf-8")
		x.send(response, response.body.Len())
	}}
}

// AlterJSON carries the request out and sends what change makes of the body: decoded by
// encoding/json, with numbers as json.Number. A body that is no JSON stays as it is. The name is
// that of the fault in the ledger.
func AlterJSON(name string, change func(body any) any) Fault {
	return Fault{name, func(x *faultyExchange) {
		response := x.serveBuffered()
		decoder := json.NewDecoder(bytes.NewReader(response.body.Bytes()))
		decoder.UseNumber()
		var body any
		if decoder.Decode(&body) == nil {
			if altered, err := json.Marshal(change(body)); err == nil {
				response.body.Reset()
				response.body.Write(altered)
			}
		}
		x.send(response, response.body.Len())
	}}
}

func requireValidAnswer(status int, header []string) {
	if status < 200 || status > 599 {
		panic(fmt.Sprintf("testsuite: the status %d is not from 200 to 599", status))
	}
	if len(header)%2 != 0 {
		panic(fmt.Sprintf("testsuite: the header %q has no value; pass names and values in turn", header[len(header)-1]))
	}
}

// Inject makes the next requests of an operation go wrong, as many as times says. The operation is
// an operation id of the contract, such as AgentExecutePost or WorkflowExecutePost, or Download for
// a signed link. The empty operation matches every request. Faults happen in the order of
// injection, and before any of [WithChance]. An unknown operation fails the test.
func (a *API) Inject(operation string, fault Fault, times int) {
	a.InjectAbout("", operation, fault, times)
}

// InjectAbout is [API.Inject] for those requests only whose path names the agent, the execution or
// whatever else has the id.
func (a *API) InjectAbout(id, operation string, fault Fault, times int) {
	a.service.mu.Lock()
	defer a.service.mu.Unlock()
	if err := validateOperation(operation); err != nil {
		a.service.report("Inject: " + err.Error())
		return
	}
	a.service.faults.injected = append(a.service.faults.injected, injection{id, operation, fault, times})
}

// validateOperation returns an error for an unknown operation, whose fault would never happen.
func validateOperation(operation string) error {
	known := slices.AppendSeq([]string{"", operationDownload}, maps.Values(operations))
	if slices.Contains(known, operation) {
		return nil
	}
	return fmt.Errorf("no operation has the id %q; use an operation id of the contract, or Download", operation)
}

type injection struct {
	about     string // part of the path
	operation string // empty: any
	fault     Fault
	times     int // how many requests remain
}

func (i *injection) matches(operation, path string) bool {
	return (i.operation == "" || i.operation == operation) && strings.Contains(path, i.about)
}

type chance struct {
	operation   string
	probability float64
	fault       Fault
}

// faults selects the fault of each request. The service's lock guards it.
type faults struct {
	injected []injection
	counts   map[string]int // requests so far, by operation
}

// next returns the fault of the next request of an operation. Every request counts, with or without
// an injected fault, and draws by its number within its operation. So requests of other operations
// do not change its result.
func (f *faults) next(operation, path string, o faultOptions) Fault {
	if f.counts == nil {
		f.counts = map[string]int{}
	}
	f.counts[operation]++
	f.injected = slices.DeleteFunc(f.injected, func(i injection) bool { return i.times <= 0 })
	for i := range f.injected {
		if injected := &f.injected[i]; injected.matches(operation, path) {
			injected.times--
			return injected.fault
		}
	}
	if len(o.chances) == 0 {
		return Fault{}
	}
	drawn := draw(o.seed, operation, f.counts[operation])
	for _, c := range o.chances {
		if c.operation != "" && c.operation != operation {
			continue
		}
		if drawn < c.probability {
			return c.fault
		}
		drawn -= c.probability
	}
	return Fault{}
}

// draw returns a number from 0 up to, but not including, 1 that depends only on its arguments.
func draw(seed uint64, purpose string, n int) float64 {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %d %s", seed, n, purpose))
	return float64(binary.BigEndian.Uint64(sum[:8])>>11) / (1 << 53)
}

// apply serves a request with the fault, if there is one.
func (f Fault) apply(s *service, entry *Request, w http.ResponseWriter, r *http.Request, next http.Handler) {
	if f.serve == nil {
		next.ServeHTTP(&statusWriter{ResponseWriter: w, service: s, entry: entry}, r)
		return
	}
	f.serve(&faultyExchange{service: s, entry: entry, w: w, r: r, next: next})
}
