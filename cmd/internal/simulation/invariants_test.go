package simulation

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
)

// These tests break each invariant once, at the end of a schedule that keeps all of them.

// requireViolation checks that a kind of violation is among those that were found.
func requireViolation(t *testing.T, kind string, violations []violation) {
	t.Helper()
	if !slices.ContainsFunc(violations, func(v violation) bool { return v.kind == kind }) {
		t.Errorf("want the violation %q, have %v", kind, violations)
	}
}

func TestInvariantsOfAgentsAreChecked(t *testing.T) {
	t.Parallel()
	skipIfBroken(t)
	first := func(change func(o *outcome)) func(*agentsWorld) {
		return func(a *agentsWorld) { change(&a.outcomes[0]) }
	}
	for kind, spoil := range map[string]func(*agentsWorld){
		"several agents of one intent are alive": func(a *agentsWorld) {
			a.request("POST", "agents/"+a.agent+"/execute", fmt.Sprintf(`{"metadata":{%q:%q}}`, asteroid.MetadataExecutionKey, a.outcomes[0].executed.ExecutionKey))
		},
		"an intent has an execution of other inputs":         first(func(o *outcome) { o.request.Inputs = asteroid.Inputs{"claim": 2} }),
		"an intent has the result of other inputs":           first(func(o *outcome) { o.execution.ExecutionResult.Result = []byte(`{"claim":2}`) }),
		"an intent took too long":                            first(func(o *outcome) { o.took = 24 * time.Hour }),
		"the execution that an intent follows was cancelled": first(func(o *outcome) { o.execution.Status = asteroid.StatusCancelled }),
		"an intent was cancelled by nobody":                  first(func(o *outcome) { o.err = temporal.NewCanceledError() }),
		"a request was refused":                              first(func(o *outcome) { o.err = asteroid.NewInvalidInput("inputs", "are wrong") }),
		"an intent failed":                                   first(func(o *outcome) { o.err = errors.New("no") }),
		"nobody follows an execution":                        first(func(o *outcome) { o.CancelAfter, o.err = 1, temporal.NewCanceledError() }),
		"too many requests": func(a *agentsWorld) {
			for range maxRequests {
				a.request("GET", "executions", "")
			}
		},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			schedule := agentsSchedule{Workflows: []workflowPlan{{Intents: []intentPlan{{Claim: 1, Attempts: [][]attemptPlan{nil}}}}}}
			requireViolation(t, kind, spoilAgents(t, schedule, spoil))
		})
	}
}

func TestInvariantsOfMessagesAreChecked(t *testing.T) {
	t.Parallel()
	skipIfBroken(t)
	const text = "sender-1 says 1"
	first := func(change func(s *said)) func(*messagesWorld) {
		return func(m *messagesWorld) { change(&m.said[0]) }
	}
	for kind, spoil := range map[string]func(*messagesWorld){
		"a message came more than once":   func(m *messagesWorld) { m.useConsole(text, false) },
		"an answer came more than once":   first(func(s *said) { s.Same, s.text = true, "twice" }),
		"an accepted message is lost":     first(func(s *said) { s.text = "another" }),
		"a message landed elsewhere":      first(func(s *said) { s.asked = s.asked.Add(time.Second) }),
		"a message failed":                first(func(s *said) { s.err = errors.New("no") }),
		"a message that was refused came": first(func(s *said) { s.err = asteroid.NewInvalidInput("asking", "is over") }),
		"an agent was resumed without an answer": func(m *messagesWorld) {
			time.Sleep(2 * time.Minute) // it asks again
			m.useConsole("", true)
		},
		"a confirmation failed": first(func(s *said) { s.resume = errors.New("no") }),
		"too many requests": func(m *messagesWorld) {
			for range 300 {
				m.request("GET", "executions", "")
			}
		},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			schedule := messagesSchedule{
				Questions: []questionPlan{{}, {Work: span(2 * time.Minute)}},
				Senders:   []senderPlan{{[]sayingPlan{{}}}},
			}
			requireViolation(t, kind, spoilMessages(t, schedule, func(m *messagesWorld) {
				if kind == "an answer came more than once" {
					m.useConsole("twice", false)
					m.useConsole("twice", false)
				}
				spoil(m)
			}))
		})
	}
}

func TestInvariantsOfFilesAreChecked(t *testing.T) {
	t.Parallel()
	skipIfBroken(t)
	path := func(results []saved) string { return results[0].result.Files[0].URI[len("file://"):] }
	write := func(path, content string) {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			panic(err)
		}
	}
	for kind, spoil := range map[string]func(*filesWorld, []saved){
		"a saved file is missing":                   func(_ *filesWorld, results []saved) { _ = os.Remove(path(results)) },
		"a saved file is not whole":                 func(_ *filesWorld, results []saved) { write(path(results), "write") },
		"a saved file is not the one of the result": func(f *filesWorld, results []saved) { write(path(results), string(f.schedule.Writes[0].content(0))) },
		"something is left over": func(_ *filesWorld, results []saved) {
			write(filepath.Join(filepath.Dir(path(results)), ".asteroid-part-1"), "")
		},
		"a file is lost":       func(_ *filesWorld, results []saved) { results[0].result.Files = nil },
		"files were not saved": func(_ *filesWorld, results []saved) { results[0].err = errors.New("no") },
		"too many requests": func(f *filesWorld, _ []saved) {
			for range 200 {
				f.request("GET", "executions", "")
			}
		},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			schedule := filesSchedule{
				Writes: []writePlan{{Name: 1, Size: 10}, {Name: 1, Size: 20}},
				Savers: []saverPlan{{At: span(10 * time.Second)}},
			}
			requireViolation(t, kind, spoilFiles(t, schedule, spoil))
		})
	}
}
