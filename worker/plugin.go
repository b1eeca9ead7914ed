package worker

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/activities"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// PluginName is the plugin's name in Temporal.
const PluginName = "github.com/temporal-asteroid/asteroid"

// Options configure the plugin. Connections is required; see [activities.Options] for each field.
// What concerns the workflows is set by a [PluginOption].
type Options = activities.Options

// PluginOption sets what concerns the plugin's workflows.
type PluginOption func(*plugin)

// WithVersioningBehavior sets the behavior of asteroid.RunAgent and asteroid.Pipeline on a worker
// that uses worker versioning. Without it they are pinned.
func WithVersioningBehavior(behavior workflow.VersioningBehavior) PluginOption {
	return func(p *plugin) { p.versioning = behavior }
}

// WithRetryableErrors lets a RetryPolicy of a workflow retry it after an agent of it has run.
// Without it such errors are final, however the workflow's code wraps them; see
// [workflows.NewInterceptor].
func WithRetryableErrors() PluginOption {
	return func(p *plugin) { p.workflows.RetryableErrors = true }
}

// WithLogger sets the logger of the plugin's warnings at the start of a worker. Without it that is
// slog's default logger: the SDK gives a plugin no logger.
func WithLogger(logger log.Logger) PluginOption {
	return func(p *plugin) { p.logger = logger }
}

// NewPlugin returns the plugin, or an error if the options are invalid. It sends no request and
// reads no API key. One plugin serves many workers, replayers and test environments at once.
//
// A worker that starts reads each connection's key once, for up to two seconds, and logs a warning
// if there is none. It starts all the same: keys may be there later. [Check] finds more.
func NewPlugin(options Options, more ...PluginOption) (*temporal.SimplePlugin, error) {
	acts, err := activities.New(options)
	if err != nil {
		return nil, err
	}
	p := &plugin{
		activities: acts, attributes: options.SearchAttributes, registered: map[string]bool{}, logger: log.NewStructuredLogger(slog.Default()),
	}
	for _, set := range more {
		set(p)
	}
	simple, err := temporal.NewSimplePlugin(temporal.SimplePluginOptions{
		Name:               PluginName,
		WorkerInterceptors: []interceptor.WorkerInterceptor{workflows.NewInterceptor(p.workflows), activities.NewInterceptor()},
		RunContextBefore:   p.register,
		RunContextAfter:    p.forget,
	})
	if err != nil {
		return nil, fmt.Errorf("asteroid: create the Temporal plugin: %w", err)
	}
	return simple, nil
}

type plugin struct {
	activities *activities.Activities
	versioning workflow.VersioningBehavior
	workflows  workflows.InterceptorOptions
	attributes asteroid.SearchAttributes
	startCheck func(context.Context, asteroid.SearchAttributes) // nil: none
	logger     log.Logger

	mu         sync.Mutex
	registered map[string]bool // by InstanceKey of the worker
}

// register registers the activities and workflows. It is called twice on a worker whose client has
// the plugin too, and once per history on a replayer. A worker's repeated call is skipped by its
// InstanceKey, so that a clash with a user's own registration is still an error.
func (p *plugin) register(ctx context.Context, run temporal.SimplePluginRunContextBeforeOptions) error {
	options := workflow.RegisterOptions{VersioningBehavior: p.versioning, DisableAlreadyRegisteredCheck: run.WorkflowReplayer}
	if !run.WorkflowReplayer {
		p.mu.Lock()
		repeated := p.registered[run.InstanceKey]
		p.registered[run.InstanceKey] = true
		p.mu.Unlock()
		if repeated {
			return nil
		}
		p.activities.Register(run.Registry)
		p.warnOfMissingKeys(ctx)
		if p.startCheck != nil {
			p.startCheck(ctx, p.attributes)
		}
	}
	workflows.Register(run.Registry, options)
	return nil
}

func (p *plugin) warnOfMissingKeys(ctx context.Context) {
	if err := p.activities.MissingKeys(ctx); err != nil {
		p.logger.Warn("Activities cannot reach Asteroid until there is an API key: " + strings.ReplaceAll(err.Error(), "\n", "; "))
	}
}

// handOverTimeout bounds how long a hand-over of the watch delays the stop of a worker.
const handOverTimeout = 3 * time.Second

// forget runs before a worker stops.
func (p *plugin) forget(ctx context.Context, run temporal.SimplePluginRunContextAfterOptions) {
	p.mu.Lock()
	stops := p.registered[run.InstanceKey]
	delete(p.registered, run.InstanceKey)
	p.mu.Unlock()
	if stops { // a replayer has no watch
		ctx, cancel := context.WithTimeout(ctx, handOverTimeout)
		defer cancel()
		p.activities.HandOver(ctx)
	}
}
