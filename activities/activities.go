package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	sdkclient "go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/budget"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/files"
	"github.com/temporal-asteroid/asteroid/internal/token"
	"github.com/temporal-asteroid/asteroid/internal/watch"
)

// Options configure the activities of a worker.
type Options struct {
	// Connections by name; at least one is required. An input that names none uses
	// [asteroid.DefaultConnection].
	Connections map[string]asteroid.Connection
	// FileRoots are the directories, as absolute paths, beneath which file: references may lie.
	// Neither .. nor a symbolic link leads out of them. If empty, file: references are refused. On
	// Windows they must be empty.
	FileRoots []string
	// OutputRoots are the directories beneath which SaveFiles may write to a file: destination. The
	// rules of FileRoots apply.
	OutputRoots []string
	// HTTPS sets what https: references can reach: by default the public internet and nothing else.
	HTTPS asteroid.HTTPSOptions
	// Stores add sources and destinations of files by URI scheme, such as s3.
	Stores map[string]asteroid.Store
	// MaxUploadBytes bounds the total size of the files of one call. It is checked before any file
	// is sent. 0 means DefaultMaxUploadBytes, the service's published quota for an execution; a
	// negative value means no bound.
	MaxUploadBytes int64
	// SettleInterval is the time between the two listings of an execution's files that must agree
	// before the list counts as complete. It should exceed the time that the service takes to list
	// a file that its log does not mention yet. 0 means 2 seconds.
	SettleInterval time.Duration
	// Now returns the current time; nil means time.Now. In a workflow test with virtual time, pass
	// the environment's Now, so that the expiry of staged files agrees with it. The time of
	// attempts is the Temporal server's, except in the SDK's test environments, which have none.
	Now func() time.Time
	// LookupGrace is how long ExecuteAgent looks up an execution that a request of unknown outcome
	// may have started, before it sends another request. It should exceed the time that the service
	// takes to list a new execution. 0 means 2 minutes.
	LookupGrace time.Duration
	// Events is asteroid.EventsWatch when empty. Workers of one task queue should agree.
	Events asteroid.Events
	// WebhookSecrets make the token in each execution's metadata, an HMAC. It tells the executions
	// of these workers from those of Asteroid's other customers, whose webhooks may have the same
	// signature. A webhook handler with the same secrets requires it, and the watch refuses a wrong
	// one. The first secret makes tokens, all of them check tokens. Each is random and has at least
	// 32 bytes. None enters history, metadata, logs or errors. Empty: executions have no token.
	//
	// To replace a secret, add the new one behind it on all workers and handlers, then put the new
	// one first. Remove the old one when asteroid_webhook_tokens counts its id no more.
	WebhookSecrets []string
	// SearchAttributes are those in which workflows show their agents and batches their progress,
	// such as asteroid.DefaultSearchAttributes(). Empty: none. EnsureSearchAttributes of package
	// worker creates them. A workflow sets those that its namespace has, as Keyword, when it
	// executes the agent or has planned the batch, and keeps to them if this option changes; the
	// worker logs which are missing. Remove none from a namespace while such workflows are open.
	// Each change is one event in history: about three an agent, and two a question. The progress
	// of a batch changes every five seconds at first, and every minute later.
	SearchAttributes asteroid.SearchAttributes
	// MaxInlineResultBytes is the size, as Temporal's data converter encodes it, up to which an
	// agent's result enters the workflow's history. A larger one stays at the service, and
	// [asteroid.Execution.ResultOmitted] refers to it. Each result enters history two or three
	// times. 0 means DefaultMaxInlineResultBytes; at most 1 MiB.
	MaxInlineResultBytes int
	// WatchRound is how long the activity asteroid.WatchExecutions runs before it hands over to the
	// next one, between a minute and an hour. It must be below the longest activity of a worker
	// that lives for minutes only. 0 means an hour.
	WatchRound time.Duration
	// Limits bound how many runs are under way at once, over all workers of the namespace, beside
	// the Limits of a run's input: Limits.PerProfile 1 lets no two agents use one login. They apply
	// to RunAgent and StartAgent, not to the activity ExecuteAgent alone. Workers should agree.
	Limits asteroid.RunLimits
	// SchemaChecker lets CheckResult compare results with the schemas that agents declare. The
	// library has none, since it would be every user's dependency: pass a JSON Schema library of
	// your choice, or use the program asteroid, which has one. nil: results are not checked.
	SchemaChecker asteroid.SchemaChecker
	// RequestTimeout bounds a request that carries no file. It must be below the StartToClose
	// timeout of the activities. 0 means 30 seconds.
	RequestTimeout time.Duration
}

// DefaultLookupGrace, DefaultRequestTimeout and DefaultSettleInterval apply where Options are 0.
const (
	DefaultLookupGrace    = 2 * time.Minute
	DefaultRequestTimeout = 30 * time.Second
	DefaultSettleInterval = 2 * time.Second
)

// DefaultMaxInlineResultBytes is half of the size at which Temporal begins to warn.
const DefaultMaxInlineResultBytes = budget.InlineResult

// DefaultMaxUploadBytes is the service's quota for one execution (fundamentals/files: 200 MB).
const DefaultMaxUploadBytes = 200 * 1000 * 1000

// Activities are the activities of a worker. Make them with [New]; they are safe for concurrent
// use. Register them with [Activities.Register], or add the plugin of package worker, which does.
type Activities struct {
	connections map[string]*client.Client
	now         func() time.Time
	virtualTime func(context.Context) bool // now, and not the server's, is the time of attempts
	lookupGrace time.Duration
	timeout     time.Duration // of a request
	events      asteroid.Events
	secrets     token.Secrets
	attributes  asteroid.SearchAttributes
	namespaces  *namespaces
	pace        watch.Pace
	reliances   reliances
	watching    watching
	troubles    troubles

	descriptions descriptions
	service      func(context.Context) sdkclient.Client // the activity's Temporal client, or nil
	heartbeat    recordsHeartbeat

	roots          files.Roots
	outputs        files.Roots
	https          *files.HTTPS
	stores         map[string]asteroid.Store
	maxUploadBytes int64
	settleInterval time.Duration
	inlineResult   int // bytes
	limits         asteroid.RunLimits
	schemaChecker  asteroid.SchemaChecker
}

// New checks the options and returns the activities. It sends no request and reads no API key.
func New(options Options) (*Activities, error) {
	if err := options.check(); err != nil {
		return nil, fmt.Errorf("asteroid: %w", err)
	}
	a := &Activities{
		connections:    make(map[string]*client.Client, len(options.Connections)),
		now:            options.Now,
		lookupGrace:    cmp.Or(options.LookupGrace, DefaultLookupGrace),
		timeout:        cmp.Or(options.RequestTimeout, DefaultRequestTimeout),
		events:         cmp.Or(options.Events, asteroid.EventsWatch),
		pace:           watch.DefaultPace,
		attributes:     options.SearchAttributes,
		namespaces:     newNamespaces(),
		service:        temporalClient,
		heartbeat:      recordHeartbeat,
		stores:         maps.Clone(options.Stores),
		maxUploadBytes: cmp.Or(options.MaxUploadBytes, DefaultMaxUploadBytes),
		settleInterval: cmp.Or(options.SettleInterval, DefaultSettleInterval),
		inlineResult:   cmp.Or(options.MaxInlineResultBytes, DefaultMaxInlineResultBytes),
		schemaChecker:  options.SchemaChecker,
		limits:         options.Limits,
	}
	if options.WatchRound > 0 {
		a.pace.Term = options.WatchRound
	}
	// Where there is a Temporal server, its clock counts: the worker's may be wrong.
	a.virtualTime = func(ctx context.Context) bool { return options.Now != nil && a.service(ctx) == nil }
	if a.now == nil {
		a.now = time.Now
	}
	var err error
	if a.secrets, err = token.New(options.WebhookSecrets); err != nil {
		return nil, fmt.Errorf("asteroid: %w", err)
	}
	for name, settings := range options.Connections {
		c, err := client.New(name, settings, a.timeout, a.now)
		if err != nil {
			return nil, fmt.Errorf("asteroid: %w", err)
		}
		c.Observe = observeRequest(name)
		a.connections[name] = c
	}
	if err := a.openFileOptions(options); err != nil {
		return nil, fmt.Errorf("asteroid: %w", err)
	}
	return a, nil
}

// check refuses options that New cannot use.
func (options *Options) check() error {
	if len(options.Connections) == 0 {
		return errors.New(`no connections: give at least "default", for example asteroid.ConnectionFromEnv()`)
	}
	if options.LookupGrace < 0 || options.RequestTimeout < 0 || options.SettleInterval < 0 {
		return errors.New("LookupGrace, RequestTimeout and SettleInterval must not be negative")
	}
	if size := options.MaxInlineResultBytes; size < 0 || size > budget.MaxInlineResult {
		return fmt.Errorf("MaxInlineResultBytes is %d: must be 1 to %d, or 0 for %d", size, budget.MaxInlineResult, DefaultMaxInlineResultBytes)
	}
	if options.WatchRound != 0 && (options.WatchRound < time.Minute || options.WatchRound > time.Hour) {
		return fmt.Errorf("WatchRound is %s: must be between a minute and an hour", options.WatchRound)
	}
	if !slices.Contains([]asteroid.Events{"", asteroid.EventsWatch, asteroid.EventsWebhooks, asteroid.EventsPoll}, options.Events) {
		return fmt.Errorf("Events is %q: must be %q, %q or %q", options.Events, asteroid.EventsWatch, asteroid.EventsWebhooks, asteroid.EventsPoll)
	}
	if err := options.SearchAttributes.Validate(); err != nil {
		return err
	}
	if err := options.Limits.Validate(); err != nil {
		return fmt.Errorf("Limits: %w", err)
	}
	if _, ok := options.Connections[""]; ok {
		return errors.New(`a connection has an empty name: call it "default"`)
	}
	return nil
}

// openFileOptions checks the options about files and keeps what they open.
func (a *Activities) openFileOptions(options Options) (err error) {
	if a.roots, err = files.NewRoots("FileRoots", options.FileRoots); err != nil {
		return err
	}
	if a.outputs, err = files.NewRoots("OutputRoots", options.OutputRoots); err != nil {
		return err
	}
	if a.https, err = files.NewHTTPS(options.HTTPS); err != nil {
		return err
	}
	return files.CheckStores(options.Stores)
}

// checkInput returns the connection that an input names, once the input is valid.
func (a *Activities) checkInput(connection string, validate func() error) (*client.Client, error) {
	c, err := a.connection(connection)
	if err != nil {
		return nil, err
	}
	return c, validate()
}

// connection returns the connection of this name, the default one for an empty name.
func (a *Activities) connection(name string) (*client.Client, error) {
	name = cmp.Or(name, asteroid.DefaultConnection)
	if c, ok := a.connections[name]; ok {
		return c, nil
	}
	known := strings.Join(slices.Sorted(maps.Keys(a.connections)), ", ")
	return nil, asteroid.NewInvalidInput("connection", fmt.Sprintf("this worker has none named %q; it has %s", name, known))
}
