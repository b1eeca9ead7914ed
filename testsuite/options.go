package testsuite

import (
	"log"
	"time"
)

type options struct {
	clock          func() time.Time
	virtual        bool // the clock is not the wall clock: never wait by it
	listenAddr     string
	organization   string
	apiKey         string
	limit          int
	startDelay     time.Duration
	resultDelay    time.Duration
	fileSyncDelay  time.Duration
	linkLifetime   time.Duration
	longPoll       bool
	keysOnDownload bool
	discardUploads bool
	log            func(message string)

	faultOptions
	webhookOptions
}

func defaultOptions() options {
	return options{
		clock:        time.Now,
		listenAddr:   "127.0.0.1:0",
		organization: "Example Organization",
		apiKey:       "test-" + newUUID(),
		startDelay:   time.Second,
		linkLifetime: 5 * time.Minute,
		longPoll:     true,
		log:          func(message string) { log.Print("fake Asteroid API: ", message) },
	}
}

// Option changes how the fake API behaves.
type Option func(*options)

// WithClock makes the API read the time from clock, which may be called from several goroutines. An
// execution's state is computed from the time whenever somebody looks at it, so with the clock of the
// workflow test environment (its Now method) hours of agent work take no time at all. The long poll then
// answers at once, as there is nothing to wait by. The default is time.Now.
func WithClock(clock func() time.Time) Option {
	return func(o *options) { o.clock, o.virtual = clock, true }
}

// WithListenAddr sets the host and port to serve on; the default, 127.0.0.1:0, takes a free port.
func WithListenAddr(addr string) Option { return func(o *options) { o.listenAddr = addr } }

// WithOrganization names the organization that is there from the start.
func WithOrganization(name string) Option { return func(o *options) { o.organization = name } }

// WithAPIKey sets the first organization's key. By default it is random.
func WithAPIKey(key string) Option { return func(o *options) { o.apiKey = key } }

// WithConcurrencyLimit lets each organization have at most n executions that are neither queued nor
// terminal; paused ones count. One more is refused, see [WithCapacityStatus], or queued if the request says
// so. Zero, the default, is no limit.
func WithConcurrencyLimit(n int) Option { return func(o *options) { o.limit = n } }

// WithStartDelay sets how long an execution reads starting before it runs; the default is one second.
func WithStartDelay(d time.Duration) Option { return func(o *options) { o.startDelay = d } }

// WithResultDelay makes executions read completed for d before executionResult appears.
func WithResultDelay(d time.Duration) Option { return func(o *options) { o.resultDelay = d } }

// WithFileSyncDelay makes an agent's files show up in listings only d after they were written, as the
// service's background copying does.
func WithFileSyncDelay(d time.Duration) Option { return func(o *options) { o.fileSyncDelay = d } }

// WithLinkLifetime sets how long a signed link can be fetched, by the API's clock and in whole seconds; the default is
// five minutes. A download that has begun by then goes on.
func WithLinkLifetime(d time.Duration) Option { return func(o *options) { o.linkLifetime = d } }

// WithDiscardedUploads makes the API count what is uploaded instead of keeping it, which takes it next to no time, memory
// or disk: for measuring how fast a client uploads. Forms are as strictly read as ever. An uploaded file has its size, an empty
// SHA256, and no content: opening it fails, and so does its download, with 404. What agents write is kept.
func WithDiscardedUploads() Option { return func(o *options) { o.discardUploads = true } }

// WithoutLongPoll makes the API answer the long poll as a server that is too old to have it: a plain 404
// without a JSON body.
func WithoutLongPoll() Option { return func(o *options) { o.longPoll = false } }

// WithKeysOnDownloads serves a signed link even if the request carries an API key, as an object store does,
// and only says so in the log. By default such a request is refused and fails the test: the key belongs to
// the API's host alone.
func WithKeysOnDownloads() Option { return func(o *options) { o.keysOnDownload = true } }

// WithLog sets where StartAPI's API reports what NewAPI would fail the test for, such as a script that ran
// out. The default is the standard logger.
func WithLog(log func(message string)) Option { return func(o *options) { o.log = log } }
