package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/cmd/internal/program"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// Scenarios of limits. Each has a profile of its own, and says how many agents may work with it at
// once. The workers let one work with each profile, unless a run's own limit says otherwise.
var (
	keyOrders         = &scenario{"two keys in both orders", 1, (*scene).takeKeysInBothOrders}
	holderReset       = &scenario{"holder of a permit reset", 1, (*scene).resetHolder}
	holderTerminated  = &scenario{"holder of a permit terminated", 1, (*scene).terminateHolder}
	limiterReset      = &scenario{"limiter reset", 1, (*scene).resetLimiter}
	limiterTerminated = &scenario{"limiter terminated", 1, (*scene).terminateLimiter}
	limitChanged      = &scenario{"limit changed", 1, (*scene).changeLimit}
)

// limitedRun returns the input of the scene's nth run with a profile.
func (s *scene) limitedRun(n int, profileID string, work time.Duration, limits ...asteroid.Limit) workflows.RunAgentInput {
	in := s.input(s.limitedID(n), work)
	in.AgentProfileID, in.Limits = profileID, limits
	return in
}

// limitedID returns the workflow id of the scene's nth run, which is its intent, too.
func (s *scene) limitedID(n int) string { return fmt.Sprintf("%s-%d", s.id, n) }

// startLimited starts runs, in their order.
func (s *scene) startLimited(ctx context.Context, runs ...workflows.RunAgentInput) (outcomes []outcome) {
	for _, in := range runs {
		id := in.Inputs[inputIntent].(string)
		s.startRunAgent(ctx, id, taskQueue, in)
		outcomes = append(outcomes, outcome{intent: id, workflowID: id})
	}
	return outcomes
}

// closeLimited awaits the ends of runs.
func (s *scene) closeLimited(ctx context.Context, outcomes []outcome) []outcome {
	for i := range outcomes {
		s.awaitClose(ctx, &outcomes[i])
	}
	s.noteClosed(outcomes[len(outcomes)-1])
	return outcomes
}

// awaitWaiting waits until a run waits for a permit. It gives up once the run has ended.
func (s *scene) awaitWaiting(ctx context.Context, workflowID string) bool {
	ctx, done := context.WithTimeout(ctx, scenePatience)
	defer done()
	_, waits := s.awaitState(ctx, workflowID, func(a workflows.AgentState) bool { return a.Phase == workflows.PhaseWaitingForPermit && a.Permit != "" })
	if waits {
		s.tally.fire(kindPermitAwaited)
	}
	return waits
}

// awaitWorking waits until the agent of a run works.
func (s *scene) awaitWorking(ctx context.Context, intent string) bool {
	_, works := s.awaitExecution(ctx, intent, working)
	return works
}

// The runs of two tenants take two keys, half of them in the other order. One run is cancelled
// while it waits.
func (s *scene) takeKeysInBothOrders(ctx context.Context) []outcome {
	const runs, most = 6, 2
	profileID := s.api.AddProfile(s.id)
	s.limits.add(limitRule{workflowID: s.id, profileID: profileID, most: most})
	var inputs []workflows.RunAgentInput
	for n := range runs {
		tenant := fmt.Sprintf("tenant %d", 2*n/runs)
		limits := []asteroid.Limit{
			{Key: s.id + "/a", Max: most, FairnessKey: tenant}, {Key: s.id + "/b", Max: most, FairnessKey: tenant},
			{Key: asteroid.ProfileLimitKey(profileID), Max: most + 1},
		}
		if n%2 == 1 {
			slices.Reverse(limits)
		}
		inputs = append(inputs, s.limitedRun(n, profileID, s.some(time.Second, 2*time.Second), limits...))
	}
	outcomes := s.startLimited(ctx, inputs...)
	even, odd := s.awaitWaiting(ctx, outcomes[runs-2].workflowID), s.awaitWaiting(ctx, outcomes[runs-1].workflowID)
	cancelled := &outcomes[runs-3]
	cancelled.cancelPlanned = true
	s.requestCancel(ctx, cancelled.workflowID)
	s.closeLimited(ctx, outcomes)
	if even && odd && outcomes[runs-1].state != stateOpen {
		s.tally.fire(kindKeyOrders)
	}
	return outcomes
}

// The holder is reset to its beginning while others wait. Its agent works on, so nobody else may
// have the permit.
func (s *scene) resetHolder(ctx context.Context) []outcome {
	profileID := s.api.AddProfile(s.id)
	s.limits.add(limitRule{workflowID: s.id, profileID: profileID, most: 1})
	holder := s.limitedRun(0, profileID, s.some(8*time.Second, 12*time.Second))
	switch s.random.IntN(3) { // what finds out that a permit is needed
	case 0: // the input
		holder.Limits = []asteroid.Limit{{Key: asteroid.ProfileLimitKey(profileID)}}
	case 1: // StageFiles
		holder.Files = []asteroid.FileRef{{URI: "data:,claim", Name: "claim.txt"}}
	default: // ExecuteAgent
	}
	outcomes := s.startLimited(ctx, holder)
	works := s.awaitWorking(ctx, outcomes[0].intent)
	for n := range 2 {
		outcomes = append(outcomes, s.startLimited(ctx, s.limitedRun(n+1, profileID, s.some(time.Second, 3*time.Second)))...)
	}
	waits := s.awaitWaiting(ctx, outcomes[2].workflowID)
	if s.reset(ctx, outcomes[0].workflowID, "", 0) != "" && works && waits {
		s.tally.fire(kindHolderReset)
	}
	return s.closeLimited(ctx, outcomes)
}

// The holder is terminated while others wait. Its agent works on, and the limiter gives the permit
// to the next run.
func (s *scene) terminateHolder(ctx context.Context) []outcome {
	profileID, freed := s.api.AddProfile(s.id), map[string]time.Time{}
	outcomes := s.startLimited(ctx, s.limitedRun(0, profileID, 30*time.Second))
	works := s.awaitWorking(ctx, outcomes[0].intent)
	s.awaitState(ctx, outcomes[0].workflowID, func(a workflows.AgentState) bool { return a.ExecutionID != "" || !a.Ended.IsZero() })
	for n := range 2 {
		outcomes = append(outcomes, s.startLimited(ctx, s.limitedRun(n+1, profileID, s.some(time.Second, 3*time.Second)))...)
	}
	waits := s.awaitWaiting(ctx, outcomes[2].workflowID)
	outcomes[0].terminatePlanned = true
	at := time.Now()
	s.terminate(ctx, outcomes[0].workflowID)
	s.closeLimited(ctx, outcomes)
	terminated := outcomes[0].state == stateTerminated
	if terminated {
		freed[outcomes[0].intent] = at
		s.checkFreed(ctx, profileID, outcomes[0], at)
	}
	if works && waits && terminated {
		s.tally.fire(kindHolderTerminated)
	}
	s.limits.add(limitRule{workflowID: outcomes[1].workflowID, profileID: profileID, most: 1, freed: freed})
	return outcomes
}

// checkFreed finds a permit that the limiter has left to a holder that was terminated.
func (s *scene) checkFreed(ctx context.Context, profileID string, holder outcome, terminatedAt time.Time) {
	events := s.history(ctx, asteroid.LimiterWorkflowID(connectionAgents, asteroid.ProfileLimitKey(profileID)), "")
	if looks := looksBeforeGrant(events, terminatedAt); looks > maxLooks {
		s.findings.add(foundStuck, holder.workflowID, "the limiter looked %d times until it found that the holder %s was terminated", looks, holder.workflowID)
	}
}

// maxLooks is how often a limiter may look at its holders until it finds one that was terminated. A
// look finds none while the Temporal server restarts.
const maxLooks = 2

// looksBeforeGrant returns how often a limiter has looked at its holders from a time until its next
// grant.
func looksBeforeGrant(events []*historypb.HistoryEvent, from time.Time) (looks int) {
	scheduled := map[int64]bool{}
	for _, event := range events {
		signal := event.GetSignalExternalWorkflowExecutionInitiatedEventAttributes()
		switch activity := event.GetActivityTaskScheduledEventAttributes(); {
		case event.GetEventTime().AsTime().Before(from):
		case activity.GetActivityType().GetName() == asteroid.CheckPermitHoldersName:
			scheduled[event.GetEventId()] = true
		case scheduled[event.GetActivityTaskCompletedEventAttributes().GetScheduledEventId()]:
			looks++
		case signal.GetSignalName() == asteroid.PermitSignal:
			return looks
		}
	}
	return looks
}

func (s *scene) resetLimiter(ctx context.Context) []outcome {
	return s.restartLimiter(ctx, kindLimiterReset, func(limiter string) bool { return s.reset(ctx, limiter, "", 0) != "" })
}

// Runs that wait for a terminated limiter ask again after some time.
func (s *scene) terminateLimiter(ctx context.Context) []outcome {
	return s.restartLimiter(ctx, kindLimiterTerminated, func(limiter string) bool { return s.terminate(ctx, limiter) })
}

// restartLimiter restarts a limiter while runs hold its permits and wait for them. It may forget
// one holder for each of its permits.
func (s *scene) restartLimiter(ctx context.Context, k kind, restart func(limiter string) bool) []outcome {
	profileID := s.api.AddProfile(s.id)
	s.limits.add(limitRule{workflowID: s.id, profileID: profileID, most: 2})
	outcomes := s.startLimited(ctx, s.limitedRun(0, profileID, s.some(4*time.Second, 6*time.Second)))
	works := s.awaitWorking(ctx, outcomes[0].intent)
	for n := range 2 {
		outcomes = append(outcomes, s.startLimited(ctx, s.limitedRun(n+1, profileID, s.some(time.Second, 3*time.Second)))...)
	}
	waits := s.awaitWaiting(ctx, outcomes[2].workflowID)
	if restart(asteroid.LimiterWorkflowID(connectionAgents, asteroid.ProfileLimitKey(profileID))) && works && waits {
		s.tally.fire(k)
	}
	outcomes = append(outcomes, s.startLimited(ctx, s.limitedRun(3, profileID, time.Second))...)
	return s.closeLimited(ctx, outcomes)
}

// An operator raises the number of permits, which lets another agent work at once, and lowers it
// again, which takes no permit from anybody.
func (s *scene) changeLimit(ctx context.Context) []outcome {
	const runs = 5
	profileID, limit := s.api.AddProfile(s.id), asteroid.Limit{Key: s.id + "/login", Max: 1}
	s.limits.add(limitRule{workflowID: s.id, profileID: profileID, most: 2})
	var inputs []workflows.RunAgentInput
	for n := range runs {
		inputs = append(inputs, s.limitedRun(n, profileID, s.some(2*time.Second, 4*time.Second), limit, asteroid.Limit{Key: asteroid.ProfileLimitKey(profileID), Max: runs}))
	}
	outcomes := s.startLimited(ctx, inputs...)
	s.awaitWaiting(ctx, outcomes[runs-1].workflowID)
	limiter := asteroid.LimiterWorkflowID(connectionAgents, limit.Key)
	raised := s.setLimit(ctx, limiter, 2) && s.awaitLimiter(ctx, limiter, func(l asteroid.LimiterState) bool { return len(l.Holders) == 2 })
	if s.setLimit(ctx, limiter, 1) && s.awaitLimiter(ctx, limiter, func(l asteroid.LimiterState) bool { return len(l.Holders) <= 1 && l.Max == 1 }) {
		s.limits.add(limitRule{workflowID: s.id, profileID: profileID, most: 1, from: time.Now()})
		if raised {
			s.tally.fire(kindLimitChanged)
		}
	}
	return s.closeLimited(ctx, outcomes)
}

// setLimit sets the number of permits of a limiter.
func (s *scene) setLimit(ctx context.Context, limiter string, most int) bool {
	return s.updateOf(ctx, limiter, asteroid.SetLimitUpdate, asteroid.SetLimitInput{Max: most}, nil) == accepted
}

// awaitLimiter waits until the state of a limiter satisfies the condition.
func (s *scene) awaitLimiter(ctx context.Context, limiter string, condition func(asteroid.LimiterState) bool) bool {
	ctx, done := context.WithTimeout(ctx, scenePatience)
	defer done()
	for {
		var state asteroid.LimiterState
		err := s.once(ctx, func(ctx context.Context) error {
			value, err := s.temporal.QueryWorkflow(ctx, limiter, "", workflows.StateQuery)
			if err != nil {
				return err
			}
			return value.Get(&state)
		})
		if err == nil && condition(state) {
			return true
		}
		if !program.Sleep(ctx, 100*time.Millisecond) {
			return false
		}
	}
}

// terminate terminates a workflow. It returns false if that has closed before.
func (s *scene) terminate(ctx context.Context, workflowID string) bool {
	return s.end(ctx, func(ctx context.Context) error { return s.temporal.TerminateWorkflow(ctx, workflowID, "", "chaos") })
}

// requestCancel cancels a workflow, unless that has closed before.
func (s *scene) requestCancel(ctx context.Context, workflowID string) {
	s.end(ctx, func(ctx context.Context) error { return s.temporal.CancelWorkflow(ctx, workflowID, "") })
}

func (s *scene) end(ctx context.Context, request func(context.Context) error) (taken bool) {
	retry(ctx, func(ctx context.Context) error {
		err := request(ctx)
		if _, closed := errors.AsType[*serviceerror.NotFound](err); closed {
			return nil
		}
		taken = err == nil
		return err
	})
	return taken
}
