package workflows

import (
	"encoding/json"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/bound"
)

// largeInput is the size of inputs from which on it takes long to decode, compare and encode them.
const largeInput = 256 << 10

// breathe ends the coroutine's turn between two steps that take long for large inputs. The SDK
// fails a task in which one turn takes a second. It adds nothing to the history.
func breathe(ctx workflow.Context, inputs asteroid.Inputs) {
	if roomLeft(map[string]any(inputs), largeInput) > 0 {
		return
	}
	turn, begin := workflow.NewFuture(ctx)
	workflow.Go(ctx, func(workflow.Context) { begin.Set(nil, nil) })
	_ = turn.Get(ctx, nil)
}

// roomLeft returns how many of these bytes a value leaves, and stops where none are. The order in
// which it visits a map does not change whether any are left.
//
//workflowcheck:ignore
func roomLeft(value any, room int) int {
	switch value := value.(type) {
	case string:
		return room - len(value)
	case json.Number:
		return room - len(value)
	case json.RawMessage:
		return room - len(value)
	case map[string]any:
		for name, member := range value {
			if room = roomLeft(member, room-len(name)-len(`"":,`)); room <= 0 {
				break
			}
		}
		return room
	case []any:
		for _, item := range value {
			if room = roomLeft(item, room-len(`,`)); room <= 0 {
				break
			}
		}
		return room
	default:
		return room - bound.Size(value)
	}
}
