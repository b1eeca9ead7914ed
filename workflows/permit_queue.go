package workflows

import (
	"bytes"
	"cmp"
	"compress/flate"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid"
)

const (
	// maxPermitWaiters bounds the runs that wait for one key.
	maxPermitWaiters = 5000
	// maxPermitQueueBytes bounds the ids in the queue, which the next run of the limiter gets as
	// its input, deflated. The server takes 2 MiB. Workflow ids of 200 bytes leave room for all
	// that may wait.
	maxPermitQueueBytes = 3 << 20
	// maxFairnessKeys bounds the fairness keys whose place in the turn is remembered.
	maxFairnessKeys = 1000
	// maxShownWaiters bounds those that the state shows.
	maxShownWaiters = 100
	// deflateAbove is the size of a state above which it is compressed.
	deflateAbove = 64 << 10
)

// permitQueue decides who gets the permits of one key. It has no clock and does no I/O, so equal
// calls lead to equal decisions.
type permitQueue struct {
	max     int
	maxSet  bool // by an operator
	newest  newestMax
	granted int
	began   time.Time // since when it has forgotten no request
	// lines are the waiting requests by fairness key, in the order of the round: the one that is
	// served goes last. An empty line keeps its place.
	lines   []permitLine
	holders []permitHolder
}

// newestMax is the Max of the newest request. A request that is repeated is no newer for that, else
// runs that have waited since the limit was another would bring that back.
type newestMax struct {
	max         int // 0: nobody has asked
	requestedAt time.Time
}

// permitLine are the requests of one fairness key, in the order in which they were made.
type permitLine struct {
	key      string
	requests []asteroid.PermitRequest
}

type permitHolder struct {
	asteroid.PermitRequest
	since  time.Time
	untold bool // of its permit
	asked  bool // it was replaced at the latest look, and asked whether it still holds the permit
}

// request adds a request. It returns false if too many of its fairness key wait. A token that holds
// a permit goes on holding it, as the run that the request names, and is told again.
func (q *permitQueue) request(r asteroid.PermitRequest) bool {
	if !r.RequestedAt.Before(q.newest.requestedAt) {
		q.newest = newestMax{max(r.Max, 1), r.RequestedAt}
		if !q.maxSet {
			q.max = q.newest.max
		}
	}
	if i := q.holderOf(r.Token); i >= 0 {
		h := &q.holders[i]
		h.RunID, h.untold, h.asked = r.RunID, true, false
		return true
	}
	q.drop(r.Token) // a repeated request may name another run
	for q.waiting() >= maxPermitWaiters || q.bytes()+requestBytes(r) > maxPermitQueueBytes {
		if !q.makeRoom(r.FairnessKey) {
			return false
		}
	}
	line := q.line(r.FairnessKey)
	at, _ := slices.BinarySearchFunc(line.requests, r, func(a, b asteroid.PermitRequest) int {
		return cmp.Or(a.RequestedAt.Compare(b.RequestedAt), strings.Compare(a.Token, b.Token))
	})
	line.requests = slices.Insert(line.requests, at, r)
	return true
}

// makeRoom drops the newest request of the longest line, unless that of the fairness key is as
// long: one with thousands of runs must not shut out another's. The dropped run asks again as all
// do, and keeps its place. makeRoom reports whether it has dropped one.
func (q *permitQueue) makeRoom(key string) bool {
	var own, longest *permitLine
	for i := range q.lines {
		line := &q.lines[i]
		if line.key == key {
			own = line
		}
		if longest == nil || len(line.requests) > len(longest.requests) {
			longest = line
		}
	}
	length := 1 // of the key's line, with the request
	if own != nil {
		length += len(own.requests)
	}
	if longest == nil || len(longest.requests) <= length {
		return false
	}
	longest.requests = longest.requests[:len(longest.requests)-1]
	return true
}

// line returns the line of a fairness key. A new one goes last in the round: if it went first, new
// ones could keep all others waiting for ever.
func (q *permitQueue) line(key string) *permitLine {
	if i := slices.IndexFunc(q.lines, func(l permitLine) bool { return l.key == key }); i >= 0 {
		return &q.lines[i]
	}
	if len(q.lines) >= maxFairnessKeys {
		if i := slices.IndexFunc(q.lines, func(l permitLine) bool { return len(l.requests) == 0 }); i >= 0 {
			q.lines = slices.Delete(q.lines, i, i+1)
		}
	}
	q.lines = append(q.lines, permitLine{key: key})
	return &q.lines[len(q.lines)-1]
}

// grant gives the free permits to the next requests. It returns all holders that are to be told.
func (q *permitQueue) grant(now time.Time) (told []asteroid.PermitRequest) {
	for q.grantNext(now) {
	}
	for i := range q.holders {
		if h := &q.holders[i]; h.untold {
			h.untold = false
			told = append(told, h.PermitRequest)
		}
	}
	return told
}

// grantNext gives a free permit to the next request. It returns false if there is none of either.
func (q *permitQueue) grantNext(now time.Time) bool {
	i := slices.IndexFunc(q.lines, func(l permitLine) bool { return len(l.requests) > 0 })
	if len(q.holders) >= q.max || i < 0 {
		return false
	}
	line := q.lines[i]
	request := line.requests[0]
	line.requests = line.requests[1:]
	q.lines = append(slices.Delete(q.lines, i, i+1), line)
	q.holders = append(q.holders, permitHolder{PermitRequest: request, since: now, untold: true})
	q.granted++
	return true
}

// release frees the permit of a token, or ends its wait. It reports whether the token was known.
func (q *permitQueue) release(token string) bool {
	if i := q.holderOf(token); i >= 0 {
		q.holders = slices.Delete(q.holders, i, i+1)
		return true
	}
	return q.drop(token)
}

// drop ends the wait of a token.
func (q *permitQueue) drop(token string) bool {
	for i := range q.lines {
		line := &q.lines[i]
		at := slices.IndexFunc(line.requests, func(r asteroid.PermitRequest) bool { return r.Token == token })
		if at < 0 {
			continue
		}
		line.requests = slices.Delete(line.requests, at, at+1)
		return true
	}
	return false
}

// setMax sets the number of permits, or lets the requests say again.
func (q *permitQueue) setMax(n int) {
	q.maxSet = n > 0
	q.max = cmp.Or(n, q.newest.max, q.max)
}

func (q *permitQueue) holderOf(token string) int {
	return slices.IndexFunc(q.holders, func(h permitHolder) bool { return h.Token == token })
}

func (q *permitQueue) waiting() (n int) {
	for _, line := range q.lines {
		n += len(line.requests)
	}
	return n
}

// bytes returns the size of the ids in the queue.
func (q *permitQueue) bytes() (n int) {
	for _, h := range q.holders {
		n += requestBytes(h.PermitRequest)
	}
	for _, line := range q.lines {
		for _, r := range line.requests {
			n += requestBytes(r)
		}
	}
	return n
}

func requestBytes(r asteroid.PermitRequest) int {
	return len(r.Token) + len(r.WorkflowID) + len(r.RunID) + len(r.FirstRunID) + len(r.FairnessKey)
}

// place returns the place of a token. It counts the runs that go first if none comes or leaves.
func (q *permitQueue) place(token string) asteroid.PermitPlace {
	if q.holderOf(token) >= 0 {
		return asteroid.PermitPlace{Held: true, Began: q.began}
	}
	for i, line := range q.lines {
		at := slices.IndexFunc(line.requests, func(r asteroid.PermitRequest) bool { return r.Token == token })
		if at < 0 {
			continue
		}
		before := at
		for j, other := range q.lines {
			switch {
			case j < i:
				before += min(len(other.requests), at+1)
			case j > i:
				before += min(len(other.requests), at)
			}
		}
		return asteroid.PermitPlace{Waits: true, Before: before, Began: q.began}
	}
	return asteroid.PermitPlace{Before: q.waiting(), Began: q.began}
}

// inOrder returns the first waiting requests in the order in which they are served.
func (q *permitQueue) inOrder(limit int) (next []asteroid.PermitRequest) {
	for round := 0; len(next) < limit; round++ {
		before := len(next)
		for _, line := range q.lines {
			if round < len(line.requests) && len(next) < limit {
				next = append(next, line.requests[round])
			}
		}
		if len(next) == before {
			break
		}
	}
	return next
}

// state returns what people see.
func (q *permitQueue) state(in asteroid.LimiterInput) asteroid.LimiterState {
	state := asteroid.LimiterState{
		Connection: in.Connection, Key: in.Key, Max: q.max, MaxSet: q.maxSet, Granted: q.granted, Waiting: q.waiting(),
	}
	for _, h := range q.holders {
		state.Holders = append(state.Holders, shownHolder(h.PermitRequest, h.since))
	}
	for _, r := range q.inOrder(maxShownWaiters) {
		state.Next = append(state.Next, shownHolder(r, r.RequestedAt))
	}
	return state
}

func shownHolder(r asteroid.PermitRequest, since time.Time) asteroid.PermitHolder {
	return asteroid.PermitHolder{Token: r.Token, WorkflowID: r.WorkflowID, RunID: r.RunID, FairnessKey: r.FairnessKey, Since: since}
}

// savedQueue is the queue as one run of the limiter hands it to the next.
type savedQueue struct {
	Max     int         `json:"m"`
	MaxSet  bool        `json:"s,omitempty"`
	Newest  [2]int64    `json:"n,omitzero"` // max, and the time of the request in nanoseconds
	Granted int         `json:"g,omitempty"`
	Began   time.Time   `json:"b"`
	Lines   []savedLine `json:"w,omitempty"`
	Holders []savedSeat `json:"h,omitempty"`
	Untold  []int       `json:"u,omitempty"` // holders
}

type savedLine struct {
	Key   string      `json:"k"`
	Seats []savedSeat `json:"r,omitempty"`
}

// savedSeat is a request as a tuple: token, workflow id, run id, first run id, fairness key, max,
// the time of the request and that of the grant in nanoseconds.
type savedSeat struct {
	text  [5]string
	max   int
	times [2]int64
}

func (s savedSeat) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{s.text[0], s.text[1], s.text[2], s.text[3], s.text[4], s.max, s.times[0], s.times[1]})
}

func (s *savedSeat) UnmarshalJSON(data []byte) error {
	tuple := []any{&s.text[0], &s.text[1], &s.text[2], &s.text[3], &s.text[4], &s.max, &s.times[0], &s.times[1]}
	return json.Unmarshal(data, &tuple)
}

func seatOf(r asteroid.PermitRequest, since time.Time) savedSeat {
	return savedSeat{[5]string{r.Token, r.WorkflowID, r.RunID, r.FirstRunID, r.FairnessKey}, r.Max, [2]int64{r.RequestedAt.UnixNano(), since.UnixNano()}}
}

func (s savedSeat) request() asteroid.PermitRequest {
	return asteroid.PermitRequest{
		Token: s.text[0], WorkflowID: s.text[1], RunID: s.text[2], FirstRunID: s.text[3], FairnessKey: s.text[4],
		Max: s.max, RequestedAt: time.Unix(0, s.times[0]).UTC(),
	}
}

// save returns the queue for the next run, compressed if it is large.
//
//workflowcheck:ignore
func (q *permitQueue) save() ([]byte, error) {
	saved := savedQueue{Max: q.max, MaxSet: q.maxSet, Granted: q.granted, Began: q.began}
	if q.newest.max > 0 {
		saved.Newest = [2]int64{int64(q.newest.max), q.newest.requestedAt.UnixNano()}
	}
	for _, line := range q.lines {
		seats := make([]savedSeat, len(line.requests))
		for i, r := range line.requests {
			seats[i] = seatOf(r, r.RequestedAt)
		}
		saved.Lines = append(saved.Lines, savedLine{line.key, seats})
	}
	for i, h := range q.holders {
		if h.untold {
			saved.Untold = append(saved.Untold, i)
		}
		saved.Holders = append(saved.Holders, seatOf(h.PermitRequest, h.since))
	}
	encoded, err := json.Marshal(saved)
	if err != nil || len(encoded) <= deflateAbove {
		return encoded, err
	}
	var small bytes.Buffer
	w, err := flate.NewWriter(&small, flate.DefaultCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(encoded); err != nil {
		return nil, err
	}
	err = w.Close()
	return small.Bytes(), err
}

// restoreQueue returns the queue that save has encoded, or one that begins now.
//
//workflowcheck:ignore
func restoreQueue(state []byte, now time.Time) (*permitQueue, error) {
	q := &permitQueue{max: 1, began: now}
	if len(state) == 0 {
		return q, nil
	}
	if state[0] != '{' {
		encoded, err := io.ReadAll(flate.NewReader(bytes.NewReader(state)))
		if err != nil {
			return nil, err
		}
		state = encoded
	}
	var saved savedQueue
	if err := json.Unmarshal(state, &saved); err != nil {
		return nil, err
	}
	q.max, q.maxSet, q.granted, q.began = saved.Max, saved.MaxSet, saved.Granted, saved.Began
	if saved.Newest[0] > 0 {
		q.newest = newestMax{int(saved.Newest[0]), time.Unix(0, saved.Newest[1]).UTC()}
	}
	for _, kept := range saved.Lines {
		line := permitLine{key: kept.Key}
		for _, seat := range kept.Seats {
			line.requests = append(line.requests, seat.request())
		}
		q.lines = append(q.lines, line)
	}
	for _, seat := range saved.Holders {
		q.holders = append(q.holders, permitHolder{PermitRequest: seat.request(), since: time.Unix(0, seat.times[1]).UTC()})
	}
	for _, i := range saved.Untold {
		q.holders[i].untold = true
	}
	return q, nil
}
