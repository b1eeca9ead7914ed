// Package worker adds the Asteroid agents API to a Temporal worker. It is one line:
//
//	plugin, err := asteroidworker.NewPlugin(asteroidworker.Options{
//		Connections: map[string]activities.Connection{"default": activities.ConnectionFromEnv()},
//	})
//	...
//	w := worker.New(temporalClient, "claims", worker.Options{Plugins: []worker.Plugin{plugin}})
//
// where asteroidworker is this package and worker the SDK's. From then on the worker runs the activities of
// [github.com/temporal-asteroid/asteroid/activities] and the workflows of
// [github.com/temporal-asteroid/asteroid/workflows], and your own workflows can call them.
//
// # Events
//
// Workflows that run agents hear of changes by signals. By default the worker's watch sends them, which needs nothing. With a
// public address, [NewWebhookHandler] takes the service's webhooks instead, and Options.Events is [activities.EventsWebhooks].
//
// # Replayers, test environments, clients
//
// The same plugin goes on a replayer (worker.WorkflowReplayerOptions.Plugins) and on both test environments
// (SetWorkerOptions). Given to the client instead, it reaches every worker made from that client; given to both, it
// still registers once.
package worker

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/activities"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// PluginName is the name under which the plugin reports itself.
const PluginName = "github.com/temporal-asteroid/asteroid"

// Options configure the plugin. Connections is required.
type Options struct {
	// These are those of [activities.Options].
	Connections    map[string]asteroid.Connection
	FileRoots      []string
	OutputRoots    []string
	HTTPS          asteroid.HTTPSOptions
	Stores         map[string]asteroid.Store
	MaxUploadBytes int64
	SettleInterval time.Duration
	Now            func() time.Time
	LookupGrace    time.Duration
	Events         asteroid.Events
	RequestTimeout time.Duration
	// VersioningBehavior is that of the workflows asteroid.RunAgent and asteroid.Pipeline, for a worker that uses
	// worker versioning; unspecified means pinned.
	VersioningBehavior workflow.VersioningBehavior
}

// NewPlugin makes the plugin. It checks the options and returns what is wrong with them; it sends nothing and asks for
// no key. A plugin can serve any number of workers, replayers and test environments, at the same time too.
func NewPlugin(options Options) (*temporal.SimplePlugin, error) {
	acts, err := activities.New(activities.Options{
		Connections:    options.Connections,
		FileRoots:      options.FileRoots,
		OutputRoots:    options.OutputRoots,
		HTTPS:          options.HTTPS,
		Stores:         options.Stores,
		MaxUploadBytes: options.MaxUploadBytes,
		SettleInterval: options.SettleInterval,
		Now:            options.Now,
		LookupGrace:    options.LookupGrace,
		Events:         options.Events,
		RequestTimeout: options.RequestTimeout,
	})
	if err != nil {
		return nil, err
	}
	p := &plugin{activities: acts, versioning: options.VersioningBehavior, served: map[string]bool{}}
	simple, err := temporal.NewSimplePlugin(temporal.SimplePluginOptions{
		Name:               PluginName,
		WorkerInterceptors: []interceptor.WorkerInterceptor{workflows.NewInterceptor()},
		RunContextBefore:   p.before,
		RunContextAfter:    p.after,
	})
	if err != nil {
		return nil, fmt.Errorf("asteroid: make the plugin: %w", err)
	}
	return simple, nil
}

type plugin struct {
	activities *activities.Activities
	versioning workflow.VersioningBehavior

	mu     sync.Mutex
	served map[string]bool // by the key of the worker
}

// before registers everything. A worker whose client has the plugin too calls it twice, a replayer once for each history
// with the same registry: the second time is let pass for the same instance only, so that a clash with somebody else's
// registration is still an error.
func (p *plugin) before(_ context.Context, run temporal.SimplePluginRunContextBeforeOptions) error {
	options := workflow.RegisterOptions{VersioningBehavior: p.versioning, DisableAlreadyRegisteredCheck: run.WorkflowReplayer}
	if !run.WorkflowReplayer {
		p.mu.Lock()
		again := p.served[run.InstanceKey]
		p.served[run.InstanceKey] = true
		p.mu.Unlock()
		if again {
			return nil
		}
		p.activities.Register(run.Registry)
	}
	workflows.Register(run.Registry, options)
	return nil
}

func (p *plugin) after(_ context.Context, run temporal.SimplePluginRunContextAfterOptions) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.served, run.InstanceKey)
}
