package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
)

// The workflow types, as registered and as a client in any language starts them.
const (
	RunAgentName = "asteroid.RunAgent"
	PipelineName = "asteroid.Pipeline"
	BatchName    = "asteroid.Batch"
	// BatchSegmentName is started by asteroid.Batch.
	BatchSegmentName = "asteroid.BatchSegment"
	// WatchName is started by the activity asteroid.ExecuteAgent.
	WatchName = asteroid.WatchWorkflowName
	// LimiterName is started by the activity asteroid.AcquirePermit.
	LimiterName = asteroid.LimiterWorkflowName
)

// Registry is the part of a worker, a replayer or a test environment that registers workflows.
type Registry interface {
	RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions)
}

// Register registers every workflow of this package under its published name; options.Name is
// ignored. The plugin of package worker calls it. If options name no versioning behavior, the
// workflows are pinned: with worker versioning, a run ends on the version that it began with. Watch
// and Limiter may never end, so they always move to the newest version.
func Register(registry Registry, options workflow.RegisterOptions) {
	if options.VersioningBehavior == workflow.VersioningBehaviorUnspecified {
		options.VersioningBehavior = workflow.VersioningBehaviorPinned
	}
	options.Name = RunAgentName
	registry.RegisterWorkflowWithOptions(strict{}.RunAgent, options)
	options.Name = PipelineName
	registry.RegisterWorkflowWithOptions(strict{}.Pipeline, options)
	options.Name = BatchName
	registry.RegisterWorkflowWithOptions(strict{}.Batch, options)
	options.Name = BatchSegmentName
	registry.RegisterWorkflowWithOptions(batchSegment, options)
	options.Name, options.VersioningBehavior = WatchName, workflow.VersioningBehaviorAutoUpgrade
	registry.RegisterWorkflowWithOptions(Watch, options)
	options.Name = LimiterName
	registry.RegisterWorkflowWithOptions(Limiter, options)
}
