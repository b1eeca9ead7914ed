package activities

import (
	"context"
	"errors"
	"slices"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	sdkclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/watch"
)

// watchHost is where a watch runs, and by which connection.
type watchHost struct{ connection, workflowQueue, activityQueue string }

// watchState is what the server says of a watch. It needs no worker for that.
type watchState struct {
	status   enums.WorkflowExecutionStatus // unspecified when there never was a watch, or long ago
	runID    string
	host     watchHost // connection and activityQueue are empty before the first heartbeat
	provenAt time.Time // of the last whole scan, by the server's clock
	idle     time.Time // see watch.Proof.IdleSince
	known    []byte
	beaten   bool // known is from a heartbeat
}

func (s *watchState) running() bool { return s.status == enums.WORKFLOW_EXECUTION_STATUS_RUNNING }

// runsOn reports whether the watch runs there. Before the first heartbeat only queues are known.
func (s *watchState) runsOn(host watchHost) bool {
	return s.host.workflowQueue == host.workflowQueue &&
		(s.host.connection == "" || s.host.connection == host.connection) &&
		(s.host.activityQueue == "" || s.host.activityQueue == host.activityQueue)
}

// readWatch reads the state of the watch with a workflow id.
func readWatch(ctx context.Context, service sdkclient.Client, id string) (*watchState, error) {
	described, err := service.DescribeWorkflowExecution(ctx, id, "")
	if _, ok := errors.AsType[*serviceerror.NotFound](err); ok {
		return &watchState{}, nil
	}
	if err != nil {
		return nil, err
	}
	info := described.GetWorkflowExecutionInfo()
	s := &watchState{
		status: info.GetStatus(), runID: info.GetExecution().GetRunId(), provenAt: info.GetStartTime().AsTime(),
		host: watchHost{workflowQueue: described.GetExecutionConfig().GetTaskQueue().GetName()},
	}
	i := slices.IndexFunc(described.GetPendingActivities(), func(pending *workflowpb.PendingActivityInfo) bool {
		return pending.GetActivityType().GetName() == asteroid.WatchExecutionsName
	})
	if i < 0 {
		if s.running() {
			s.readHistory(ctx, service, id)
		}
		return s, nil
	}
	pending := described.PendingActivities[i]
	s.host.activityQueue = pending.GetActivityOptions().GetTaskQueue().GetName()
	if pending.GetHeartbeatDetails() == nil {
		return s, nil
	}
	s.provenAt = pending.GetLastHeartbeatTime().AsTime() // of another version: that it beats is all that is known
	if packed, proof, err := decodeBeat(pending.HeartbeatDetails); err == nil {
		s.known, s.beaten, s.provenAt, s.idle, s.host.connection = packed, true, proof.ScannedAt, proof.IdleSince, proof.Connection
	}
	return s, nil
}

// readKnown completes the state of a watch that has not recorded a heartbeat.
func (s *watchState) readKnown(ctx context.Context, service sdkclient.Client, id string) {
	if !s.beaten && s.runID != "" && s.status != enums.WORKFLOW_EXECUTION_STATUS_COMPLETED {
		s.readHistory(ctx, service, id)
	}
}

// readHistory reads what the run was given, and what its activity returned if its workers stopped
// before the workflow could continue as new.
func (s *watchState) readHistory(ctx context.Context, service sdkclient.Client, id string) {
	events := service.GetWorkflowHistory(ctx, id, s.runID, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return
		}
		var in asteroid.WatchExecutionsInput
		started := event.GetWorkflowExecutionStartedEventAttributes()
		if started != nil && beatConverter.FromPayloads(started.GetInput(), &in) == nil {
			s.known = in.Known
		}
		if completed := event.GetActivityTaskCompletedEventAttributes(); completed != nil {
			s.provenAt = event.GetEventTime().AsTime()
			var result asteroid.WatchExecutionsResult
			if beatConverter.FromPayloads(completed.GetResult(), &result) == nil {
				s.known, s.beaten = result.Known, true
			}
		}
	}
}

// beatConverter encodes heartbeats of the watch, also where the client has another converter: no
// activity can decode what the server describes by that one. A heartbeat holds ids, statuses and
// times only.
var beatConverter = converter.GetDefaultDataConverter()

func encodeBeat(packed []byte, proof watch.Proof) (*commonpb.Payloads, error) {
	return beatConverter.ToPayloads(packed, proof)
}

func decodeBeat(details *commonpb.Payloads) (packed []byte, proof watch.Proof, err error) {
	if len(details.GetPayloads()) != 2 {
		return nil, proof, errors.New("heartbeat details of another form")
	}
	err = beatConverter.FromPayloads(details, &packed, &proof)
	return packed, proof, err
}
