package workflows

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
)

var permitEpoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func permitRequest(token, tenant string, second int) asteroid.PermitRequest {
	return asteroid.PermitRequest{
		Token: token, WorkflowID: "w-" + token, RunID: "r1", FirstRunID: "f-" + token, FairnessKey: tenant, Max: 1,
		RequestedAt: permitEpoch.Add(time.Duration(second) * time.Second),
	}
}

func tokensOf(requests []asteroid.PermitRequest) (tokens []string) {
	for _, r := range requests {
		tokens = append(tokens, r.Token)
	}
	return tokens
}

// serve releases every holder and grants again until nobody waits. It returns the tokens in the
// order of their grants.
func serve(q *permitQueue) (order []string) {
	for {
		told := tokensOf(q.grant(permitEpoch))
		if len(told) == 0 {
			return order
		}
		order = append(order, told...)
		for _, token := range told {
			q.release(token)
		}
	}
}

func TestPermitQueueServesTheLongestWaitOfEachFairnessKeyInTurn(t *testing.T) {
	t.Parallel()
	q := &permitQueue{}
	for i, token := range []string{"a1", "a2", "a3", "a4"} {
		require.True(t, q.request(permitRequest(token, "a", i)))
	}
	q.request(permitRequest("b1", "b", 10))
	q.request(permitRequest("a0", "a", -1)) // asked earlier, and repeats its request
	require.Equal(t, []string{"a0", "b1", "a1", "a2", "a3", "a4"}, tokensOf(q.inOrder(10)))
	require.Equal(t, []string{"a0", "b1", "a1", "a2", "a3", "a4"}, serve(q))
}

// Runs that each have a fairness key of their own are served in their order, and do not keep a
// tenant waiting.
func TestPermitQueueServesNewFairnessKeysInTheirOrder(t *testing.T) {
	t.Parallel()
	q := &permitQueue{}
	q.request(permitRequest("tenant", "tenant", 0))
	var order []string
	for i := range 5 {
		for _, token := range []string{fmt.Sprint(i, "a"), fmt.Sprint(i, "b")} {
			q.request(permitRequest(token, token, i))
		}
		told := tokensOf(q.grant(permitEpoch))
		order = append(order, told...)
		q.release(told[0])
	}
	require.Equal(t, []string{"tenant", "0a", "0b", "1a", "1b"}, order)
}

// A fairness key with one request at a time does not shut out the others.
func TestPermitQueueKeepsTheTurnOfAnEmptyLine(t *testing.T) {
	t.Parallel()
	q := &permitQueue{}
	for i := range 10 {
		q.request(permitRequest(fmt.Sprint("a", i), "a", i))
	}
	var order []string
	for i := range 10 {
		q.request(permitRequest(fmt.Sprint("b", i), "b", 100+i))
		told := tokensOf(q.grant(permitEpoch))
		require.Len(t, told, 1)
		order = append(order, told...)
		q.release(told[0])
	}
	ofA := slices.DeleteFunc(order, func(token string) bool { return token[0] == 'b' })
	require.Len(t, ofA, 5)
}

func TestPermitQueueGrantsAHeldTokenAgain(t *testing.T) {
	t.Parallel()
	q := &permitQueue{}
	q.request(permitRequest("a", "", 0))
	require.Len(t, q.grant(permitEpoch), 1)
	require.Empty(t, q.grant(permitEpoch))
	again := permitRequest("a", "", 0)
	again.RunID = "r2"
	q.request(again)
	told := q.grant(permitEpoch)
	require.Len(t, told, 1)
	require.Equal(t, "r2", told[0].RunID)
	require.Equal(t, 1, q.granted)
	require.Len(t, q.holders, 1)
}

func TestPermitQueueTakesTheNewestMaxUnlessAnOperatorSetOne(t *testing.T) {
	t.Parallel()
	q := &permitQueue{}
	ask := func(token string, most int) {
		r := permitRequest(token, "", 0)
		r.Max = most
		q.request(r)
	}
	ask("a", 1)
	ask("b", 3)
	ask("c", 2)
	require.Len(t, q.grant(permitEpoch), 2)
	q.setMax(3)
	ask("d", 1)
	require.Len(t, q.grant(permitEpoch), 1)
	q.setMax(0)
	ask("e", 9)
	require.Len(t, q.grant(permitEpoch), 2)
	q.setMax(1)
	q.release("a")
	ask("f", 9)
	require.Empty(t, q.grant(permitEpoch), "five hold a permit although one may")
}

// Runs that wait since the limit was another ask again and again.
func TestPermitQueueKeepsTheNewestMaxWhenOlderRunsAskAgain(t *testing.T) {
	t.Parallel()
	q := &permitQueue{}
	old, newer := permitRequest("old", "", 0), permitRequest("newer", "", 1)
	old.Max = 5
	q.request(old)
	require.Equal(t, 5, q.max)
	q.request(newer)
	require.Equal(t, 1, q.max)
	q.request(old)
	require.Equal(t, 1, q.max)
}

// An operator's Max ends at once, not with the next request.
func TestPermitQueueLetsTheNewestRequestSayAgain(t *testing.T) {
	t.Parallel()
	q := &permitQueue{max: 1}
	for i := range 5 {
		q.request(permitRequest(fmt.Sprint(i), "", i))
	}
	q.setMax(4)
	saved, err := q.save()
	require.NoError(t, err)
	q, err = restoreQueue(saved, time.Time{})
	require.NoError(t, err)
	q.setMax(0)
	require.Len(t, q.grant(permitEpoch), 1)
}

func TestPermitQueueRefusesMoreThanMayWait(t *testing.T) {
	t.Parallel()
	q := &permitQueue{}
	for i := range maxPermitWaiters {
		require.True(t, q.request(permitRequest(fmt.Sprint(i), "", i)))
	}
	require.False(t, q.request(permitRequest("late", "", 0)))
	require.Equal(t, asteroid.PermitPlace{Before: maxPermitWaiters}, q.place("late"))
	saved, err := q.save()
	require.NoError(t, err)
	require.Less(t, len(saved), 256<<10, "history holds it as an input")
}

// A fairness key that fills the queue does not shut out another one.
func TestPermitQueueMakesRoomForAnotherFairnessKey(t *testing.T) {
	t.Parallel()
	q := &permitQueue{}
	for i := range maxPermitWaiters {
		require.True(t, q.request(permitRequest(fmt.Sprint(i), "large", i)))
	}
	late := permitRequest("late", "large", maxPermitWaiters)
	require.False(t, q.request(late))
	require.True(t, q.request(permitRequest("small", "small", maxPermitWaiters)))
	require.Equal(t, maxPermitWaiters, q.waiting())
	require.False(t, q.place(fmt.Sprint(maxPermitWaiters-1)).Waits, "the newest of large asks again")
	require.Equal(t, 1, q.place("small").Before)
	require.False(t, q.request(late))
}

// The server takes no larger input than 2 MiB. Each id is as long as it may be, and random.
func TestPermitQueueFitsIntoTheNextRunHoweverLongIDsAre(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 1))
	id := func(size int) string {
		const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		text := make([]byte, size)
		for i := range text {
			text[i] = letters[random.IntN(len(letters))]
		}
		return string(text)
	}
	for _, size := range []int{200, 1000} {
		q, taken := &permitQueue{max: 1000, maxSet: true}, 0
		for i := range 1000 + maxPermitWaiters {
			r := permitRequest("", id(10), i)
			r.WorkflowID, r.RunID = id(size), id(36)
			r.FirstRunID, r.Token = r.RunID, r.WorkflowID+"|"+r.RunID+"|v1-"+id(32)+"|1"
			if q.request(r) {
				taken++
			}
			q.grant(permitEpoch)
		}
		saved, err := q.save()
		require.NoError(t, err)
		input, err := json.Marshal(asteroid.LimiterInput{State: saved})
		require.NoError(t, err)
		require.Less(t, len(input), 2<<20)
		require.Greater(t, taken, 1200)
	}
}

// Whatever happens, no more permits are held than may be, a token is served once, in the order that
// its place says, and a queue that was saved goes on as the other.
func TestPermitQueueKeepsItsPromises(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		q := &permitQueue{max: 1}
		asked := map[string]asteroid.PermitRequest{}
		for step := range 200 {
			token := fmt.Sprint(random.IntN(40))
			switch random.IntN(8) {
			case 0, 1, 2:
				r, known := asked[token]
				if !known {
					r = permitRequest(token, fmt.Sprint(random.IntN(4)), step)
					asked[token] = r
				}
				r.Max = q.max
				q.request(r)
			case 3, 4:
				q.release(token)
				delete(asked, token)
				require.Equal(t, asteroid.PermitPlace{Before: q.waiting()}, q.place(token))
			case 5:
				q.setMax(1 + random.IntN(5))
			case 6:
				saved, err := q.save()
				require.NoError(t, err)
				restored, err := restoreQueue(saved, time.Time{})
				require.NoError(t, err)
				require.Equal(t, q.state(asteroid.LimiterInput{}), restored.state(asteroid.LimiterInput{}))
				q = restored
			default:
				before := len(q.holders)
				next := tokensOf(q.inOrder(100))
				for i, token := range next {
					require.Equal(t, asteroid.PermitPlace{Waits: true, Before: i}, q.place(token), "seed %d", seed)
				}
				told := tokensOf(q.grant(permitEpoch))
				require.LessOrEqual(t, len(q.holders), max(before, q.max))
				granted := slices.DeleteFunc(told, func(token string) bool { return !slices.Contains(next, token) })
				require.True(t, slices.Equal(next[:len(granted)], granted), "seed %d: %v of %v", seed, granted, next)
				require.True(t, q.waiting() == 0 || len(q.holders) >= q.max, "a free permit and a run that waits")
			}
		}
	}
}
