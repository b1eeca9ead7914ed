package integration

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	sdkworker "go.temporal.io/sdk/worker"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/cmd/internal/telemetry"
	"github.com/temporal-asteroid/asteroid/internal/metrics"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// scrape is what Prometheus reads of a worker.
type scrape struct {
	text   string
	series []map[string]string // the labels, with the name as __name__
	values []float64
}

// scrapeMetrics reads the page of the metrics.
func scrapeMetrics(t *testing.T, page http.Handler) *scrape {
	t.Helper()
	response := httptest.NewRecorder()
	page.ServeHTTP(response, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	s := &scrape{text: response.Body.String()}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(s.text))
	require.NoError(t, err)
	for name, family := range families {
		for _, m := range family.GetMetric() {
			series := map[string]string{}
			for _, label := range m.GetLabel() {
				series[label.GetName()] = label.GetValue()
			}
			add := func(suffix string, value float64, more map[string]string) {
				named := maps.Clone(series)
				named["__name__"] = name + suffix
				maps.Copy(named, more)
				s.series, s.values = append(s.series, named), append(s.values, value)
			}
			if histogram := m.GetHistogram(); histogram != nil {
				add("_count", float64(histogram.GetSampleCount()), nil)
				add("_sum", histogram.GetSampleSum(), nil)
				for _, bucket := range histogram.GetBucket() {
					add("_bucket", float64(bucket.GetCumulativeCount()), map[string]string{"le": fmt.Sprint(bucket.GetUpperBound())})
				}
				continue
			}
			add("", m.GetCounter().GetValue()+m.GetGauge().GetValue()+m.GetUntyped().GetValue(), nil)
		}
	}
	return s
}

// find returns the series that the matchers select. A label that no series of the name has is an
// error: a matcher such as .* would match it.
func (s *scrape) find(matchers ...*labels.Matcher) (found []map[string]string, sum float64, err error) {
	known, name := map[string]bool{}, ""
	for _, m := range matchers {
		if m.Name == "__name__" {
			name = m.Value
		}
	}
	for i, series := range s.series {
		if series["__name__"] != name {
			continue
		}
		matches := true
		for _, m := range matchers {
			_, has := series[m.Name]
			known[m.Name] = known[m.Name] || has
			matches = matches && m.Matches(series[m.Name])
		}
		if matches {
			found, sum = append(found, series), sum+s.values[i]
		}
	}
	for _, m := range matchers {
		if !known[m.Name] {
			return nil, 0, fmt.Errorf("%s has no label %s", name, m.Name)
		}
	}
	return found, sum, nil
}

// sum returns the sum of the values of the series with these labels, each a name and a value.
func (s *scrape) sum(name string, pairs ...string) float64 {
	matchers := []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, "__name__", name)}
	for i := 0; i < len(pairs); i += 2 {
		matchers = append(matchers, labels.MustNewMatcher(labels.MatchEqual, pairs[i], pairs[i+1]))
	}
	_, sum, _ := s.find(matchers...)
	return sum
}

// Each metric of the table fires, on a worker with a watch that another connection takes over, with
// webhooks, with an agent that waits for a permit, for capacity and for a person, with files, and
// with a batch.
func TestMetricsAreScrapedAndFitDashboard(t *testing.T) {
	if server == nil {
		t.Skip("needs the Temporal server")
	}
	handler, page, err := telemetry.NewMetrics(func(err error) { t.Error(err) })
	require.NoError(t, err)
	var webhooks atomic.Pointer[worker.WebhookHandler]
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { webhooks.Load().ServeHTTP(w, r) }))
	t.Cleanup(receiver.Close)
	s := newStack(t, testsuite.WithWebhooks(receiver.URL, nil))
	metered := *s
	metered.client, err = server.Client(client.Options{MetricsHandler: handler})
	require.NoError(t, err)
	t.Cleanup(metered.client.Close)
	public, err := worker.ParseWebhookPublicKey(s.api.WebhookPublicKey())
	require.NoError(t, err)
	receive, err := worker.NewWebhookHandler(worker.WebhookOptions{
		Clients: map[string]client.Client{"default": s.client}, PublicKeys: []*rsa.PublicKey{public}, Secrets: webhookSecrets,
		Metrics: handler, Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	require.NoError(t, err)
	webhooks.Store(receive)
	first := s.options.Connections[asteroid.DefaultConnection]
	var key atomic.Value
	key.Store(s.api.AddAPIKey(s.api.OrganizationID()))
	firstKey := key.Load().(string)
	first.APIKey = func(context.Context) (string, error) { return key.Load().(string), nil }
	metered.options.Connections["first"], metered.options.WebhookSecrets = first, webhookSecrets
	metered.startWorker(collectEvents)

	// The watch runs on the first connection.
	works := s.api.ServeAgent("works", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.Work(30 * time.Second), testsuite.Complete("success", "", nil)}
	})
	collector := s.startWorkflow(collectEvents, asteroid.ExecuteAgentInput{Connection: "first", AgentID: works, Signal: true})
	s.awaitWatch()
	s.awaitScans(1)
	s.forgeExecution(works)
	asksAgent := s.api.ServeAgent("asks", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{
			testsuite.Work(time.Second), testsuite.Ask("Which secret-question?", "Yes"), testsuite.Work(30 * time.Second),
			testsuite.WriteFile("downloads", "secret-report.txt", "text/plain", []byte("content")), testsuite.Complete("success", "", nil),
		}
	})
	s.api.Inject("AgentExecutePost", testsuite.Answer(409, `{"code":409,"message":"full"}`, "Content-Type", "application/json", "Retry-After", "1"), 1)
	login := asteroid.Limit{Key: "secret-login of " + t.Name()}
	run := s.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{
		AgentID: asksAgent, Limits: []asteroid.Limit{login}, Files: []asteroid.FileRef{{URI: "data:,secret-text", Name: "secret-input.txt"}},
		Collect: &workflows.Collect{Destination: "file://" + s.options.OutputRoots[0]},
	})
	s.awaitState(run, asks)
	require.Eventually(t, func() bool {
		return scrapeMetrics(t, page).sum("asteroid_questions_open", "connection", "first") == 1
	}, time.Minute, 100*time.Millisecond)
	sdkworker.PurgeStickyWorkflowCache() // the next workflow task replays
	require.Contains(t, scrapeMetrics(t, page).text, `agent_name="asks",client_name="temporal_go",namespace="default",outcome="completed"`,
		"the counter begins with 0, or Prometheus misses the first run")
	s.freePermits(login)
	batch := s.startWorkflow(workflows.BatchName, workflows.BatchInput{
		Rows:     asteroid.BatchRows{Inline: []json.RawMessage{json.RawMessage(`{"claim":"secret-claim"}`)}, KeyColumn: "claim"},
		Template: workflows.RunAgentInput{AgentID: s.api.AgentID("echo"), Inputs: asteroid.Inputs{"claim": "{{claim}}"}},
		Results:  asteroid.BatchResults{Destination: "file://" + s.options.OutputRoots[0] + "/secret-results.csv"},
	})
	require.NoError(t, batch.Get(s.ctx(), nil))
	_, err = s.answer(run, workflows.AnswerInput{Text: "Yes, secret-answer"})
	require.NoError(t, err)
	key.Store("revoked-and-unknown")
	require.NoError(t, run.Get(s.ctx(), nil))
	s.collectedBy(collector)
	require.Eventually(t, func() bool { return scrapeMetrics(t, page).sum("asteroid_watch_takeovers_total") == 1 }, time.Minute, 100*time.Millisecond)
	require.Eventually(t, func() bool {
		scraped := scrapeMetrics(t, page)
		return scraped.sum("asteroid_questions_open") == 0 &&
			scraped.sum("asteroid_watch_last_scan_timestamp_seconds", "connection", "first") == 0
	}, time.Minute, 100*time.Millisecond, "a watch that is gone leaves no gauge")

	scraped := scrapeMetrics(t, page)
	t.Run("table", func(t *testing.T) {
		for _, m := range metrics.All {
			name := m.PrometheusName()
			if m.Kind == metrics.Timer {
				name += "_count"
			}
			matchers := []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, "__name__", name)}
			for _, label := range m.Labels {
				matchers = append(matchers, labels.MustNewMatcher(labels.MatchRegexp, label, ".+"))
			}
			found, sum, err := scraped.find(matchers...)
			require.NoError(t, err)
			require.NotEmpty(t, found, name)
			if m.Kind != metrics.Gauge {
				require.Positive(t, sum, name)
			}
		}
		require.InDelta(t, 1, scraped.sum("asteroid_agent_runs_total", "agent_name", "asks", "outcome", "completed"), 0)
		require.InDelta(t, 1, scraped.sum("asteroid_batch_rows_total", "status", "succeeded", "attempt", "first"), 0)
		require.InDelta(t, 1, scraped.sum("asteroid_batches_total", "outcome", "succeeded"), 0)
		require.InDelta(t, 1, scraped.sum("asteroid_permit_wait_duration_seconds_count", "connection", "default", "outcome", "granted"), 0)
		require.InDelta(t, 1, scraped.sum("asteroid_permits_granted_total", "connection", "default"), 0)
		require.InDelta(t, 1, scraped.sum("asteroid_permits_freed_total", "reason", "operator"), 0)
		require.InDelta(t, 1, scraped.sum("asteroid_agent_run_duration_seconds_count", "agent", asksAgent, "agent_name", "asks", "outcome", "completed"), 0)
		require.InDelta(t, 1, scraped.sum("asteroid_capacity_wait_duration_seconds_count", "outcome", "started"), 0)
		require.InDelta(t, 1, scraped.sum("asteroid_questions_asked_total", "status", "paused_by_agent"), 0)
		require.InDelta(t, 1, scraped.sum("asteroid_person_wait_duration_seconds_count", "outcome", "answered"), 0)
		require.InDelta(t, 1, scraped.sum("asteroid_files_total", "direction", "upload"), 0)
		require.InDelta(t, 1, scraped.sum("asteroid_files_total", "direction", "download"), 0)
		require.InDelta(t, len("content"), scraped.sum("asteroid_file_bytes_total", "direction", "download"), 0)
		require.Positive(t, scraped.sum("asteroid_request_duration_seconds_count", "status", "4xx", "connection", "first"))
	})
	t.Run("no secrets", func(t *testing.T) {
		secrets := []string{s.api.APIKey(), firstKey, "revoked-and-unknown", webhookSecrets[0], run.GetID(), run.GetRunID(), s.api.BaseURL(), "secret-"}
		for _, e := range s.api.Executions() {
			secrets = append(secrets, e.ID)
		}
		for _, secret := range secrets {
			require.NotContains(t, scraped.text, secret)
		}
	})
	t.Run("dashboard", func(t *testing.T) { requireDashboard(t, scraped) })
	t.Run("replay", func(t *testing.T) {
		sdkworker.PurgeStickyWorkflowCache()
		for _, id := range []string{run.GetID(), batch.GetID(), asteroid.LimiterWorkflowID("", login.Key)} {
			_, err := s.client.QueryWorkflow(s.ctx(), id, "", workflows.StateQuery)
			require.NoError(t, err)
		}
		replayed := scrapeMetrics(t, page)
		for _, name := range []string{
			"asteroid_agent_runs_total", "asteroid_agent_run_duration_seconds_count", "asteroid_capacity_wait_duration_seconds_count",
			"asteroid_questions_asked_total", "asteroid_person_wait_duration_seconds_count", "asteroid_batch_rows_total", "asteroid_batches_total",
			"asteroid_permit_wait_duration_seconds_count", "asteroid_permits_granted_total", "asteroid_permits_freed_total",
		} {
			require.InDelta(t, scraped.sum(name), replayed.sum(name), 0, name)
		}
	})
}

// freePermits takes the permits of a limit from their holders.
func (s *stack) freePermits(limit asteroid.Limit) {
	s.t.Helper()
	state, err := s.limiterState(limit)
	require.NoError(s.t, err)
	require.NotEmpty(s.t, state.Holders)
	for _, holder := range state.Holders {
		handle, err := s.client.UpdateWorkflow(s.ctx(), client.UpdateWorkflowOptions{
			WorkflowID: asteroid.LimiterWorkflowID("", limit.Key), UpdateName: asteroid.FreePermitUpdate,
			Args: []any{asteroid.FreePermitInput{Token: holder.Token}}, WaitForStage: client.WorkflowUpdateStageCompleted,
		})
		require.NoError(s.t, err)
		require.NoError(s.t, handle.Get(s.ctx(), nil))
	}
}

// forgeExecution starts an execution as a stranger would who knows a workflow's id.
func (s *stack) forgeExecution(agent string) {
	s.t.Helper()
	body := fmt.Sprintf(`{"metadata":{%q:"default",%q:"some-workflow",%q:%q,%q:"v1.forged.forged"}}`,
		asteroid.MetadataNamespace, asteroid.MetadataWorkflowID, asteroid.MetadataSignal, asteroid.ExecutionEventSignal, asteroid.MetadataToken)
	request, err := http.NewRequestWithContext(s.ctx(), "POST", s.api.BaseURL()+"/agents/v2/agents/"+agent+"/execute", strings.NewReader(body))
	require.NoError(s.t, err)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Asteroid-Agents-Api-Key", s.api.APIKey())
	response, err := http.DefaultClient.Do(request)
	require.NoError(s.t, err)
	require.NoError(s.t, response.Body.Close())
	require.Equal(s.t, http.StatusAccepted, response.StatusCode)
}
