package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
)

// control serves, from this process, what the API and the workers reach beside each other: the
// receiver of webhooks, the sources of files that break, and what the activity chaos.Read reads.
type control struct {
	server *http.Server
	url    string
	tally  *tally
	key    *rsa.PrivateKey // of the webhooks
	secret string          // of the workers whose workflows learn of changes by webhooks
	sayings

	mu      sync.Mutex
	handler http.Handler          // nil until the Temporal server runs
	told    map[string]bool       // ids of events that were received
	newest  map[string]time.Time  // of the events of an execution
	sources map[string]*badSource // by name
}

func startControl(fired *tally) (*control, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for webhooks: %w", err)
	}
	c := &control{
		url: "http://" + listener.Addr().String(), tally: fired, key: testsuite.NewWebhookKey(), secret: rand.Text() + rand.Text(),
		told: map[string]bool{}, newest: map[string]time.Time{}, sources: map[string]*badSource{},
		sayings: sayings{byKey: map[string]said{}},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /webhooks", c.receive)
	mux.HandleFunc("GET /sources/{name}", c.serveSource)
	mux.Handle("GET /said/", &c.sayings)
	c.server = &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = c.server.Serve(listener) }() // ends with close
	return c, nil
}

func (c *control) close() { _ = c.server.Close() }

// environment returns what a worker has to know.
func (c *control) environment() []string {
	return []string{controlEnv + "=" + c.url, tokensEnv + "=" + c.secret}
}

// webhookJitter makes later events overtake earlier ones.
const webhookJitter = 2 * time.Second

// webhooks makes the fake API send its webhooks here: some twice, some in another order, and some
// never.
func (c *control) webhooks() []testsuite.Option {
	return []testsuite.Option{
		testsuite.WithWebhooks(c.url+"/webhooks", c.key),
		testsuite.WithWebhookFaults(testsuite.WebhookFaults{Copies: 2, Lost: 0.1, Jitter: webhookJitter}),
	}
}

// passWebhooks passes webhooks to the library's handler from now on.
func (c *control) passWebhooks(temporal client.Client) error {
	handler, err := worker.NewWebhookHandler(worker.WebhookOptions{
		Clients: map[string]client.Client{"default": temporal}, PublicKeys: []*rsa.PublicKey{&c.key.PublicKey}, Secrets: []string{c.secret},
		Logger: discardLogger(),
	})
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handler = handler
	return nil
}

// webhookBody is what is read of an event.
type webhookBody struct {
	EventID   string    `json:"event_id"`
	Timestamp time.Time `json:"timestamp"`
	Info      struct {
		ExecutionID string            `json:"execution_id"`
		Metadata    map[string]string `json:"metadata"`
	} `json:"info"`
}

// receive passes a webhook to the handler, and counts those of our own that it accepts.
func (c *control) receive(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	handler := c.handler
	c.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if handler == nil || err != nil {
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	answered := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	handler.ServeHTTP(answered, r)
	var event webhookBody
	if answered.status == http.StatusOK && json.Unmarshal(body, &event) == nil {
		c.count(event)
	}
}

// count counts the troubles of an event of an execution whose workflow learns of changes by
// webhooks. The scenario that forges events counts them itself.
func (c *control) count(event webhookBody) {
	if event.Info.Metadata[asteroid.MetadataToken] == "" || isForged(event.EventID) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	id := event.Info.ExecutionID
	switch {
	case c.told[event.EventID]:
		c.tally.fire(kindWebhookRepeated)
	case event.Timestamp.Before(c.newest[id]):
		c.tally.fire(kindWebhookReordered)
	default:
		c.newest[id] = event.Timestamp
	}
	c.told[event.EventID] = true
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// badSource is a file whose first reads break half-way.
type badSource struct {
	content []byte
	breaks  int           // how many reads still break
	stall   time.Duration // of a read that breaks, half-way
}

// sourceURI serves a file and returns its URI, which the workers' store understands.
func (c *control) sourceURI(name string, source badSource) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sources[name] = &source
	return sourceScheme + "://control/" + name
}

func (c *control) serveSource(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	source := c.sources[r.PathValue("name")]
	broken := source != nil && r.Method == http.MethodGet && source.breaks > 0
	if broken {
		source.breaks--
	}
	c.mu.Unlock()
	if source == nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(source.content)))
	if !broken {
		_, _ = w.Write(source.content) // a reader that has gone away reads again
		return
	}
	_, err := w.Write(source.content[:len(source.content)/2])
	if err == nil {
		err = http.NewResponseController(w).Flush()
	}
	if err == nil {
		c.tally.fire(kindSourceBroken)
	}
	select {
	case <-time.After(source.stall):
	case <-r.Context().Done():
	}
	panic(http.ErrAbortHandler) // closes the connection
}

// outputDirectory returns the directory to which workers save files, and a function that removes
// it. The directory is kept in that of --logs if there is one.
func outputDirectory(logs string) (path string, remove func(), err error) {
	path, err = os.MkdirTemp(logs, "chaos-saved-")
	if err != nil {
		return "", nil, fmt.Errorf("make a directory for saved files: %w", err)
	}
	if logs != "" {
		return path, func() {}, nil
	}
	return path, func() { _ = os.RemoveAll(path) }, nil // a leftover is in the directory for temporary files
}
