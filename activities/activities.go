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

	"go.temporal.io/sdk/activity"
	sdkclient "go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/files"
	"github.com/temporal-asteroid/asteroid/internal/watch"
)

// Options are what the activities of a worker share.
type Options struct {
	// Connections by name; at least one is required. An input that names none uses [DefaultConnection].
	Connections map[string]asteroid.Connection
	// FileRoots are the directories beneath which file: references may lie, as absolute paths. Neither .. nor a
	// symbolic link leads out of them. None means that file: references are refused.
	FileRoots []string
	// OutputRoots are the directories beneath which SaveFiles may write to a file: destination, likewise.
	OutputRoots []string
	// HTTPS says what https: references can reach: by default the public internet, and nothing else.
	HTTPS asteroid.HTTPSOptions
	// Stores add further places to read files from and to save them to, by URI scheme, such as s3.
	Stores map[string]asteroid.Store
	// MaxUploadBytes bounds the files of one call together, before any is sent. DefaultMaxUploadBytes, the service's
	// published quota for an execution, when 0; unbounded when negative.
	MaxUploadBytes int64
	// SettleInterval is how long two listings of a run's files lie apart that must agree before its files are taken for
	// complete. It should exceed the time that the service takes to list a file that its log does not tell of yet. 2 seconds
	// when 0.
	SettleInterval time.Duration
	// Now tells the time; nil means time.Now. In a workflow test with virtual time give the environment's Now, so that
	// the expiry of staged files agrees with it.
	Now func() time.Time
	// LookupGrace is how long ExecuteAgent looks for an execution that a request of unknown outcome may have started,
	// before it sends another. It should exceed the time that the service takes to list a new execution. 2 minutes when 0.
	LookupGrace time.Duration
	// Events is EventsWatch when empty. Workers of one task queue should agree.
	Events asteroid.Events
	// RequestTimeout bounds a request that carries no file. It must be below the StartToClose timeout of the activities.
	// 30 seconds when 0.
	RequestTimeout time.Duration
}

// DefaultLookupGrace, DefaultRequestTimeout and DefaultSettleInterval are what Options mean by 0.
const (
	DefaultLookupGrace    = 2 * time.Minute
	DefaultRequestTimeout = 30 * time.Second
	DefaultSettleInterval = 2 * time.Second
)

// DefaultMaxUploadBytes is what the service takes for one execution (fundamentals/files: 200 MB).
const DefaultMaxUploadBytes = 200 * 1000 * 1000

// Activities are the activities of a worker. Make them with [New]; they are safe for concurrent use. Register them
// all with [Activities.Register], or add the plugin of package worker, which does.
type Activities struct {
	connections map[string]*client.Client
	now         func() time.Time
	grace       time.Duration
	events      asteroid.Events
	pace        watch.Pace
	announced   announcements
	service     func(context.Context) sdkclient.Client // of the activity; nil where there is none

	roots     files.Roots
	outputs   files.Roots
	https     *files.HTTPS
	stores    map[string]asteroid.Store
	maxUpload int64
	settle    time.Duration
}

// New checks the options and makes the activities. It sends nothing and asks for no key.
func New(options Options) (*Activities, error) {
	if len(options.Connections) == 0 {
		return nil, errors.New("asteroid: no connections: give at least \"default\", for example asteroid.ConnectionFromEnv()")
	}
	if options.LookupGrace < 0 || options.RequestTimeout < 0 || options.SettleInterval < 0 {
		return nil, errors.New("asteroid: LookupGrace, RequestTimeout and SettleInterval must not be negative")
	}
	if !slices.Contains([]asteroid.Events{"", asteroid.EventsWatch, asteroid.EventsWebhooks, asteroid.EventsPoll}, options.Events) {
		return nil, fmt.Errorf("asteroid: Events is %q: must be %q, %q or %q", options.Events, asteroid.EventsWatch, asteroid.EventsWebhooks, asteroid.EventsPoll)
	}
	a := &Activities{
		connections: make(map[string]*client.Client, len(options.Connections)),
		now:         options.Now,
		grace:       cmp.Or(options.LookupGrace, DefaultLookupGrace),
		events:      cmp.Or(options.Events, asteroid.EventsWatch),
		pace:        watch.DefaultPace,
		service:     serviceOf,
		stores:      maps.Clone(options.Stores),
		maxUpload:   cmp.Or(options.MaxUploadBytes, DefaultMaxUploadBytes),
		settle:      cmp.Or(options.SettleInterval, DefaultSettleInterval),
	}
	if a.now == nil {
		a.now = time.Now
	}
	for name, settings := range options.Connections {
		if name == "" {
			return nil, errors.New("asteroid: a connection has an empty name: call it \"default\"")
		}
		c, err := client.New(name, settings, cmp.Or(options.RequestTimeout, DefaultRequestTimeout), a.now)
		if err != nil {
			return nil, fmt.Errorf("asteroid: %w", err)
		}
		a.connections[name] = c
	}
	if err := a.openPlaces(options); err != nil {
		return nil, fmt.Errorf("asteroid: %w", err)
	}
	return a, nil
}

// openPlaces checks the options that say where files may lie.
func (a *Activities) openPlaces(options Options) (err error) {
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

// Registry is the part of a worker (or of a test environment) that takes activities.
type Registry interface {
	RegisterActivityWithOptions(a any, options activity.RegisterOptions)
}

// Register registers every activity under its published name.
func (a *Activities) Register(registry Registry) {
	for name, fn := range map[string]any{
		asteroid.StageFilesName:         a.StageFiles,
		asteroid.ExecuteAgentName:       a.ExecuteAgent,
		asteroid.AwaitExecutionName:     a.AwaitExecution,
		asteroid.GetExecutionName:       a.GetExecution,
		asteroid.SetExecutionStatusName: a.SetExecutionStatus,
		asteroid.SendMessageName:        a.SendMessage,
		asteroid.SweepDuplicatesName:    a.SweepDuplicates,
		asteroid.CheckUploadsName:       a.CheckUploads,
		asteroid.AttachFilesName:        a.AttachFiles,
		asteroid.ListFilesName:          a.ListFiles,
		asteroid.SaveFilesName:          a.SaveFiles,
		asteroid.CheckDestinationName:   a.CheckDestination,
		asteroid.WatchExecutionsName:    a.WatchExecutions,
	} {
		registry.RegisterActivityWithOptions(fn, activity.RegisterOptions{Name: name})
	}
}

// connection finds the connection that an input names.
func (a *Activities) connection(name string) (*client.Client, error) {
	if name == "" {
		name = asteroid.DefaultConnection
	}
	if c, ok := a.connections[name]; ok {
		return c, nil
	}
	known := slices.Sorted(maps.Keys(a.connections))
	return nil, asteroid.NewInvalidInput("connection", fmt.Sprintf("this worker has none named %q; it has %s", name, strings.Join(known, ", ")))
}
