package testsuite_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/testsuite"
)

// webhookKey is shared by the tests, because generating a key is slow.
var webhookKey = sync.OnceValue(testsuite.NewWebhookKey)

// webhook is a request as the receiver got it.
type webhook struct {
	header http.Header
	body   string
}

func (w webhook) json(t *testing.T) map[string]any {
	t.Helper()
	var value map[string]any
	require.NoError(t, json.Unmarshal([]byte(w.body), &value))
	return value
}

func (w webhook) event(t *testing.T) string {
	t.Helper()
	return w.json(t)["info"].(map[string]any)["event"].(string)
}

// inbox receives webhooks.
type inbox struct {
	t      *testing.T
	url    string
	came   chan webhook
	answer func(w http.ResponseWriter, r *http.Request) // nil answers 200
}

func newInbox(t *testing.T, answer func(w http.ResponseWriter, r *http.Request)) *inbox {
	t.Helper()
	i := &inbox{t: t, came: make(chan webhook, 1000), answer: answer}
	server := httptest.NewServer(i)
	t.Cleanup(server.Close)
	i.url = server.URL
	return i
}

func (i *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	i.came <- webhook{r.Header, string(body)}
	if i.answer != nil {
		i.answer(w, r)
	}
}

func (i *inbox) next() webhook {
	i.t.Helper()
	select {
	case came := <-i.came:
		return came
	case <-time.After(30 * time.Second):
		i.t.Fatal("no webhook")
		return webhook{}
	}
}

// one waits for the next webhook, requires its event and returns its payload.
func (i *inbox) one(event string) map[string]any {
	i.t.Helper()
	came := i.next()
	require.Equal(i.t, event, came.event(i.t))
	return came.json(i.t)["info"].(map[string]any)["payload"].(map[string]any)
}

func (i *inbox) nothingMore() {
	i.t.Helper()
	select {
	case came := <-i.came:
		i.t.Errorf("one more webhook: %s", came.body)
	default:
	}
}

func TestWebhooksFollowEveryStatus(t *testing.T) {
	t.Parallel()
	inbox := newInbox(t, nil)
	c, clock := newClient(t, testsuite.WithWebhooks(inbox.url, webhookKey()))
	c.api.AddAgent("clerk", scripted(
		testsuite.Act("nav_to", "Opening"), testsuite.Work(time.Minute), testsuite.Ask("Which account?", "Checking", "Savings"),
		testsuite.AwaitConfirmation("It costs."), testsuite.Work(time.Minute), done(map[string]any{"number": json.Number("12345678901234567890")})))
	id := c.execute("clerk", `{"metadata":{"order":"1042"}}`)
	at := func(d time.Duration) { clock.Add(d); c.status(id) }
	set := func(status string) {
		require.Equal(t, http.StatusOK, c.post("/agents/v2/executions/"+id+"/status", `{"status":"`+status+`"}`).status)
	}

	at(time.Second)
	first := inbox.next()
	want := map[string]any{
		"type": "execution", "event_id": first.json(t)["event_id"], "timestamp": "2026-03-01T09:00:01Z", "info": map[string]any{
			"event": "EXECUTION_STARTED", "execution_id": id, "execution_url": c.api.BaseURL() + "/executions/" + id,
			"agent_id": c.api.AgentID("clerk"), "agent_name": "clerk", "payload": map[string]any{}, "metadata": map[string]any{"order": "1042"},
		},
	}
	require.Equal(t, want, first.json(t))
	require.Len(t, first.json(t)["event_id"], 36)
	require.Equal(t, "application/json", first.header.Get("Content-Type"))

	set("paused")
	require.Equal(t, "Paused by a user.", inbox.one("EXECUTION_PAUSED")["reason"])
	set("running")
	inbox.one("EXECUTION_RESUMED")
	at(time.Minute)
	require.Equal(t, "Which account?", inbox.one("EXECUTION_PAUSED")["reason"])
	set("running")
	require.ElementsMatch(t, []string{"EXECUTION_RESUMED", "EXECUTION_AWAITING_CONFIRMATION"},
		[]string{inbox.next().event(t), inbox.next().event(t)})
	set("running")
	inbox.one("EXECUTION_RESUMED")
	at(time.Minute)
	last := inbox.next()
	require.Equal(t, "EXECUTION_COMPLETED", last.event(t))
	require.Contains(t, last.body, `"payload":{"outcome":"success","reasoning":"Done.","result":{"number":12345678901234567890}}`)
	inbox.nothingMore()
}

func TestWebhooksOfFailuresHaveReason(t *testing.T) {
	t.Parallel()
	inbox := newInbox(t, nil)
	c, clock := newClient(t, testsuite.WithWebhooks(inbox.url, webhookKey()))
	for event, step := range map[string]testsuite.Step{
		"EXECUTION_FAILED": testsuite.Fail("timeout"), "EXECUTION_CANCELLED": testsuite.CancelBy("timeout"),
	} {
		c.api.AddAgent("clerk", scripted(testsuite.Work(time.Minute), step))
		id := c.execute("clerk", `{}`)
		clock.Add(time.Second)
		c.status(id)
		started := inbox.next()
		require.Equal(t, "EXECUTION_STARTED", started.event(t))
		require.NotContains(t, started.body, "metadata", "there was none")
		clock.Add(time.Minute)
		c.status(id)
		require.Equal(t, map[string]any{"reason": "timeout"}, inbox.one(event))
	}
}

func TestWithWebhookActionsSendsActions(t *testing.T) {
	t.Parallel()
	inbox := newInbox(t, nil)
	c, clock := newClient(t, testsuite.WithWebhooks(inbox.url, webhookKey()), testsuite.WithWebhookActions())
	c.api.AddAgent("clerk", scripted(testsuite.Act("nav_to", "Opening"), testsuite.Act("element_click", "Paying"), done(nil)))
	id := c.execute("clerk", `{}`)
	clock.Add(time.Second)
	c.status(id)
	steps := map[string][]any{}
	for range 6 {
		came := inbox.next()
		payload := came.json(t)["info"].(map[string]any)["payload"].(map[string]any)
		steps[came.event(t)] = append(steps[came.event(t)], payload["step_number"])
	}
	require.Len(t, steps, 4)
	require.ElementsMatch(t, []any{1.0, 2.0}, steps["EXECUTION_ACTION_STARTED"])
	require.ElementsMatch(t, []any{1.0, 2.0}, steps["EXECUTION_ACTION_COMPLETED"])
}

func TestWebhooksAreSignedOverTheBody(t *testing.T) {
	t.Parallel()
	inbox := newInbox(t, nil)
	key := webhookKey()
	api := testsuite.NewAPI(t, testsuite.WithWebhooks(inbox.url, key), testsuite.WithStartDelay(0))
	require.Equal(t, testsuite.WebhookPublicKey(key), api.WebhookPublicKey())
	c := &client{t: t, api: api, key: api.APIKey()}
	api.AddAgent("clerk", scripted(done(nil)))
	c.execute("clerk", `{}`)
	for range 2 {
		came := inbox.next()
		signature, err := base64.StdEncoding.DecodeString(came.header.Get("X-Asteroid-Signature"))
		require.NoError(t, err)
		digest := sha256.Sum256([]byte(came.body))
		require.NoError(t, rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], signature))
	}
}

func TestWebhookPublicKeyIsEmptyWithoutWebhooks(t *testing.T) {
	t.Parallel()
	require.Empty(t, testsuite.NewAPI(t).WebhookPublicKey())
}

func TestWebhooksAreTriedFiveTimesAndThenLogged(t *testing.T) {
	t.Parallel()
	inbox := newInbox(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})
	logged := make(chan string, 10)
	c, clock := newClient(t, testsuite.WithWebhooks(inbox.url, webhookKey()), testsuite.WithLog(func(message string) { logged <- message }))
	c.api.AddAgent("clerk", scripted(testsuite.Work(time.Hour), done(nil)))
	id := c.execute("clerk", `{}`)
	clock.Add(time.Second)
	c.status(id)
	first := inbox.next()
	for range 4 {
		again := inbox.next()
		require.Equal(t, first.body, again.body)
		require.Equal(t, first.header.Get("X-Asteroid-Signature"), again.header.Get("X-Asteroid-Signature"))
	}
	require.Contains(t, <-logged, "gave up on a webhook after 5 attempts: "+inbox.url+" answered 307")
	inbox.nothingMore()
}

func TestWithWebhookFaultsLosesWebhooks(t *testing.T) {
	t.Parallel()
	inbox := newInbox(t, nil)
	run := func(lost float64) {
		c, clock := newClient(t, testsuite.WithWebhooks(inbox.url, webhookKey()),
			testsuite.WithWebhookFaults(testsuite.WebhookFaults{Copies: 40, Lost: lost}), testsuite.WithSeed(7))
		c.api.AddAgent("clerk", scripted(testsuite.Work(time.Hour), done(nil)))
		id := c.execute("clerk", `{}`)
		clock.Add(time.Second)
		c.status(id)
	}
	run(1)
	run(0.5)
	run(0.5)
	run(0)
	came := map[string]int{}
	for len(came) < 3 || came[largest(came)] < 40 {
		came[inbox.next().json(t)["event_id"].(string)]++
	}
	delete(came, largest(came))
	require.Len(t, came, 2)
	var counts []int
	for _, n := range came {
		counts = append(counts, n)
	}
	require.Equal(t, counts[0], counts[1], "the same seed loses the same")
	require.InDelta(t, 20, counts[0], 12)
}

// largest returns the key with the greatest count.
func largest(counts map[string]int) (key string) {
	for k, n := range counts {
		if n > counts[key] {
			key = k
		}
	}
	return key
}

func TestWithWebhookFaultsReordersWebhooks(t *testing.T) {
	t.Parallel()
	inbox := newInbox(t, nil)
	c, clock := newClient(t, testsuite.WithWebhooks(inbox.url, webhookKey()), testsuite.WithSeed(122), // draws 0.965 and 0.0001
		testsuite.WithWebhookFaults(testsuite.WebhookFaults{Jitter: time.Minute}))
	c.api.AddAgent("clerk", scripted(done(nil)))
	id := c.execute("clerk", `{}`)
	clock.Add(time.Second)
	c.status(id)
	inbox.one("EXECUTION_COMPLETED") // arrives after 8 ms, EXECUTION_STARTED after 58 s
}

func TestCloseDoesNotWaitForHangingReceiver(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	inbox := newInbox(t, func(http.ResponseWriter, *http.Request) { <-hang })
	t.Cleanup(func() { close(hang) })
	api, err := testsuite.StartAPI(testsuite.WithWebhooks(inbox.url, webhookKey()), testsuite.WithStartDelay(0),
		testsuite.WithWebhookFaults(testsuite.WebhookFaults{Copies: 50, Jitter: time.Second}))
	require.NoError(t, err)
	c := &client{t: t, api: api, key: api.APIKey()}
	c.execute("patient", `{}`)
	inbox.next()
	closed := make(chan error)
	go func() { closed <- api.Close() }()
	select {
	case err := <-closed:
		require.NoError(t, err)
	case <-time.After(9 * time.Second): // an attempt times out after ten
		t.Fatal("Close waits")
	}
	api.Executions() // reads still work
}

func TestWithWebhooksRefusesInvalidOptions(t *testing.T) {
	t.Parallel()
	faults := func(f testsuite.WebhookFaults) []testsuite.Option {
		return []testsuite.Option{testsuite.WithWebhooks("http://127.0.0.1", webhookKey()), testsuite.WithWebhookFaults(f)}
	}
	for name, options := range map[string][]testsuite.Option{
		"no URL":            {testsuite.WithWebhooks("", nil)},
		"no scheme":         {testsuite.WithWebhooks("127.0.0.1:80", nil)},
		"a file":            {testsuite.WithWebhooks("file:///tmp/hooks", nil)},
		"no host":           {testsuite.WithWebhooks("http:///hooks", nil)},
		"empty key":         {testsuite.WithWebhooks("http://127.0.0.1", &rsa.PrivateKey{})},
		"negative copies":   faults(testsuite.WebhookFaults{Copies: -1}),
		"negative jitter":   faults(testsuite.WebhookFaults{Jitter: -1}),
		"no probability":    faults(testsuite.WebhookFaults{Lost: 1.1}),
		"not even a number": faults(testsuite.WebhookFaults{Lost: math.NaN()}),
	} {
		_, err := testsuite.StartAPI(options...)
		require.ErrorContains(t, err, "WithWebhook", name)
	}
}
