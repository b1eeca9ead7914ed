package testsuite

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Fault is something that goes wrong with one request. The zero Fault is nothing: injected, it lets requests
// pass before the next one that was injected.
type Fault struct {
	name  string
	serve func(x *exchange)
}

// LoseResponse carries the request out and then cuts the connection without a byte of the answer.
func LoseResponse() Fault {
	return Fault{"LoseResponse", func(x *exchange) {
		x.carryOut()
		x.cut()
	}}
}

// CommitLate reads the request, cuts the connection at once and carries the request out that much later, by
// the real clock. What is still to come when the API is closed is not carried out.
func CommitLate(after time.Duration) Fault {
	return Fault{"CommitLate", func(x *exchange) { x.commitLate(after) }}
}

// Answer answers the request with something else instead of carrying it out. header are pairs of a name and
// a value; an odd one, and a status that is not from 200 to 599, panics.
func Answer(status int, body string, header ...string) Fault {
	checkAnswer(status, header)
	return Fault{fmt.Sprint("Answer ", status), func(x *exchange) {
		x.drain()
		x.enter(status)
		x.answer(status, body, header)
	}}
}

// AnswerAfterCommit carries the request out, but answers something else, as a gateway may. See [Answer].
func AnswerAfterCommit(status int, body string, header ...string) Fault {
	checkAnswer(status, header)
	return Fault{fmt.Sprint("AnswerAfterCommit ", status), func(x *exchange) {
		x.carryOut()
		x.answer(status, body, header)
	}}
}

// ResetMidBody carries the request out, sends the header and the first half of the answer's body and resets the
// connection. Of an answer without a body nothing is sent. How much of what was sent arrives before
// the reset is up to the client's system.
func ResetMidBody() Fault {
	return Fault{"ResetMidBody", func(x *exchange) {
		answer := x.carryOut()
		x.sendHalf(answer)
		x.reset()
	}}
}

// AlterBody carries the request out and flips a byte in the middle of the answer's body. Length and header, with any
// checksum in it, stay as they were.
func AlterBody() Fault {
	return Fault{"AlterBody", func(x *exchange) {
		answer := x.carryOut()
		if body := answer.body.Bytes(); len(body) > 0 {
			body[len(body)/2] ^= 0xff
		}
		x.send(answer, answer.body.Len())
	}}
}

// Stall does nothing for d, by the real clock, and then serves the request as ever. If the client goes away
// meanwhile, or the API is closed, the request is not carried out.
func Stall(d time.Duration) Fault {
	return Fault{"Stall", func(x *exchange) { x.stall(d) }}
}

// TruncateJSON carries the request out and answers with the first half of the body, whatever it is, as if
// that were all: the length in the header is that of the half.
func TruncateJSON() Fault {
	return Fault{"TruncateJSON", func(x *exchange) {
		answer := x.carryOut()
		answer.body.Truncate(answer.body.Len() / 2)
		answer.header.Del("Content-Length") // a file's
		x.send(answer, answer.body.Len())
	}}
}

// WrongContentType carries the request out and sends the answer as text/html.
func WrongContentType() Fault {
	return Fault{"WrongContentType", func(x *exchange) {
		answer := x.carryOut()
		answer.header.Set("Content-Type", "text/html; charset=utf-8")
		x.send(answer, answer.body.Len())
	}}
}

func checkAnswer(status int, header []string) {
	if status < 200 || status > 599 {
		panic(fmt.Sprintf("testsuite: %d is no status of an answer", status))
	}
	if len(header)%2 != 0 {
		panic(fmt.Sprintf("testsuite: the header %q has no value", header[len(header)-1]))
	}
}

// Inject makes the next times requests of an operation go wrong. The operation is an operation id of the
// contract, such as AgentExecutePost (and WorkflowExecutePost, which is another one), or Download for a signed
// link; empty, it is any request. What was injected first happens first, and comes before anything that
// [WithChance] brings. An operation that does not exist fails the test.
func (a *API) Inject(operation string, fault Fault, times int) {
	a.service.mu.Lock()
	defer a.service.mu.Unlock()
	if err := checkOperation(operation); err != nil {
		a.service.report("Inject: " + err.Error())
		return
	}
	a.service.faults.injected = append(a.service.faults.injected, injection{operation, fault, times})
}

// checkOperation refuses what no request could ever be for, as a fault that never happens proves nothing.
func checkOperation(operation string) error {
	if operation == "" || operation == operationDownload {
		return nil
	}
	for _, known := range operations {
		if operation == known {
			return nil
		}
	}
	return fmt.Errorf("no operation has the id %q", operation)
}

type injection struct {
	operation string
	fault     Fault
	times     int // how many are left
}

type chance struct {
	operation   string
	probability float64
	fault       Fault
}

// faults says what goes wrong. The service's lock guards it.
type faults struct {
	injected []injection
	counts   map[string]int // requests so far by operation
}

// next is the fault of the next request of an operation. Every request draws, be something injected or not, and by
// the number that it has within its operation: requests of other operations change nothing for it.
func (f *faults) next(operation string, o faultOptions) Fault {
	if f.counts == nil {
		f.counts = map[string]int{}
	}
	f.counts[operation]++
	f.injected = slices.DeleteFunc(f.injected, func(i injection) bool { return i.times <= 0 })
	for i := range f.injected {
		if injected := &f.injected[i]; injected.operation == "" || injected.operation == operation {
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

// draw is a number from 0 up to, but not including, 1 that depends on nothing but what is given.
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
	f.serve(&exchange{service: s, entry: entry, w: w, r: r, next: next})
}
