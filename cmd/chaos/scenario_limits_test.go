package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/temporal-asteroid/asteroid"
)

func (h *historyOf) signals(name string) {
	h.add(enumspb.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED, &historypb.HistoryEvent{
		Attributes: &historypb.HistoryEvent_SignalExternalWorkflowExecutionInitiatedEventAttributes{
			SignalExternalWorkflowExecutionInitiatedEventAttributes: &historypb.SignalExternalWorkflowExecutionInitiatedEventAttributes{SignalName: name},
		},
	})
}

func TestLooksBeforeGrantCountsThoseAfterATermination(t *testing.T) {
	t.Parallel()
	h := &historyOf{}
	h.signals(asteroid.PermitSignal) // the holder's grant
	before := h.scheduled(asteroid.CheckPermitHoldersName)
	terminatedAt := noon.Add(2500 * time.Millisecond)
	h.completed(before) // it may have looked before the termination
	for range 2 {
		h.completed(h.scheduled(asteroid.CheckPermitHoldersName))
	}
	h.scheduled(asteroid.CheckPermitHoldersName) // never ends
	h.completed(h.scheduled(asteroid.AwaitExecutionName))
	require.Equal(t, 2, looksBeforeGrant(h.events, terminatedAt))
	h.signals(asteroid.PermitSignal)
	h.completed(h.scheduled(asteroid.CheckPermitHoldersName))
	require.Equal(t, 2, looksBeforeGrant(h.events, terminatedAt))
	require.Zero(t, looksBeforeGrant(h.events, noon))
}
