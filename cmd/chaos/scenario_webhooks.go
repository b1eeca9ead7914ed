package main

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// webhooks is the scenario of a workflow that learns of changes by webhooks. Some are repeated,
// reordered, lost, early, or of a stranger.
var webhooks = &scenario{name: "webhooks", share: 4, run: (*scene).followWebhooks}

// forgedEvent begins the ids of the events of strangers.
const forgedEvent = "forged-"

func isForged(eventID string) bool { return strings.HasPrefix(eventID, forgedEvent) }

func (s *scene) followWebhooks(ctx context.Context) []outcome {
	s.startRunAgent(ctx, s.id, taskQueueWebhooks, s.serveAsker(s.questions()))
	s.followQuestions(ctx, func(agent workflows.AgentState) {
		if e, ok := s.api.Execution(agent.ExecutionID); ok {
			s.forgeWebhooks(ctx, e)
		}
		s.answerByUpdate(ctx, agent, "at once")
	})
	return []outcome{s.closeRunAgent(ctx)}
}

// forgeWebhooks sends what another customer of the service could: webhooks with the same
// signature that name our workflow, without its token or with that of another execution.
func (s *scene) forgeWebhooks(ctx context.Context, of testsuite.Execution) {
	tokens := []string{"", "v1.forged"}
	for _, other := range s.api.Executions() {
		if token := other.Metadata[asteroid.MetadataToken]; token != "" && other.ID != of.ID {
			tokens = append(tokens, token)
			break
		}
	}
	for _, token := range tokens {
		metadata := map[string]string{
			asteroid.MetadataNamespace: "default", asteroid.MetadataWorkflowID: of.Metadata[asteroid.MetadataWorkflowID],
			asteroid.MetadataSignal: asteroid.ExecutionEventSignal,
		}
		if token != "" {
			metadata[asteroid.MetadataToken] = token
		}
		body, _ := json.Marshal(map[string]any{ // strings and maps of them always marshal
			"type": "execution", "event_id": forgedEvent + uuid.NewString(), "timestamp": time.Now().Format(time.RFC3339Nano),
			"info": map[string]any{"event": "EXECUTION_CANCELLED", "execution_id": of.ID, "metadata": metadata},
		})
		response, err := http.DefaultClient.Do(testsuite.NewWebhookRequest(s.control.url+"/webhooks", s.control.key, body).WithContext(ctx))
		if err != nil {
			continue
		}
		_ = response.Body.Close()
		if response.StatusCode == http.StatusOK {
			s.tally.fire(kindWebhookForged)
		}
	}
}
