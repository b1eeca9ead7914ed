package testsuite

import (
	"log"
	"time"
)

type options struct {
	clock          func() time.Time
	virtual        bool // the clock is not the wall clock, so nothing may wait for it
	listenAddr     string
	noNetwork      bool
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
		log:          func(message string) { log.Print("fake Asteroid API: ", message) }, //nolint:gosec // messages quote what requests hold
	}
}

// Option changes how the fake API behaves.
type Option func(*options)

// WithClock makes the API read the time from clock, which must be safe for concurrent use. An
// execution's state is computed from the clock whenever the API is called. With the clock of the
// workflow test environment (its Now method), hours of agent work take no time at all. Give the
// plugin the same clock, as the Now of its Options. The long poll then answers at once, because a
// virtual clock gives it nothing to wait for. The default is time.Now.
func WithClock(clock func() time.Time) Option {
	return func(o *options) { o.clock, o.virtual = clock, true }
}

// WithListenAddr sets the host and port to serve on. The default, 127.0.0.1:0, takes a free port.
func WithListenAddr(addr string) Option { return func(o *options) { o.listenAddr = addr } }

// WithOrganization sets the name of the first organization.
func WithOrganization(name string) Option { return func(o *options) { o.organization = name } }

// WithAPIKey sets the first organization's key. The default is random.
func WithAPIKey(key string) Option { return func(o *options) { o.apiKey = key } }

// WithConcurrencyLimit lets each organization have at most n executions that are neither queued nor
// terminal; paused ones count. One more is refused, see [WithCapacityStatus], or queued if the
// request asks for it. Zero, the default, is no limit.
func WithConcurrencyLimit(n int) Option { return func(o *options) { o.limit = n } }

// WithStartDelay sets how long an execution stays starting before it is running. The default is one
// second.
func WithStartDelay(d time.Duration) Option { return func(o *options) { o.startDelay = d } }

// WithResultDelay hides executionResult until d after the execution completed.
func WithResultDelay(d time.Duration) Option { return func(o *options) { o.resultDelay = d } }

// WithFileSyncDelay hides an agent's files from listings until d after they were written, because
// the service copies them in the background.
func WithFileSyncDelay(d time.Duration) Option { return func(o *options) { o.fileSyncDelay = d } }

// WithLinkLifetime sets how long a signed link is valid, by the API's clock and in whole seconds.
// The default is five minutes. A download that began before the expiry is completed.
func WithLinkLifetime(d time.Duration) Option { return func(o *options) { o.linkLifetime = d } }

// WithDiscardedUploads makes the API count uploads instead of storing them, for measuring how fast
// a client uploads: this takes almost no time, memory or disk. Forms are validated as usual. An
// uploaded file has its size, an empty SHA256 and no content: [File.Open] fails, and its download
// answers 404. Files that agents write are stored.
func WithDiscardedUploads() Option { return func(o *options) { o.discardUploads = true } }

// WithoutLongPoll makes the long poll answer 404 without a JSON body, as a server does that is
// older than the long poll.
func WithoutLongPoll() Option { return func(o *options) { o.longPoll = false } }

// WithKeysOnDownloads serves a signed link even if the request carries an API key, as an object
// store does, and logs it. By default such a request is refused and fails the test, because the key
// belongs to the API's host only.
func WithKeysOnDownloads() Option { return func(o *options) { o.keysOnDownload = true } }

// WithLog sets where the API of [StartAPI] reports the problems that would fail a test of [NewAPI],
// such as a script that runs out. The default is the standard logger.
func WithLog(log func(message string)) Option { return func(o *options) { o.log = log } }
