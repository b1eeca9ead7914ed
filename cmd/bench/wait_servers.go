package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/cmd/internal/devserver"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

const (
	temporalChild   = "bench-temporal"
	parkingAPIChild = "bench-parking-api"
)

// serveTemporal is a Temporal server, which ends abruptly: nobody needs what it knows.
func serveTemporal() error {
	server, err := devserver.Start(context.Background(), devserver.Options{})
	if err != nil {
		return err
	}
	return serveUntilParentGoes(server.HostPort())
}

// parkingPlace is an API whose agent works until it is told to end.
type parkingPlace struct {
	apiPlace
	AgentID string `json:"agentId"`
	// WebhookKey is what its webhooks are signed with.
	WebhookKey string `json:"webhookKey"`
	Control    string `json:"control"`
}

// parkedFor is longer than any measurement.
const parkedFor = 1000 * time.Hour

// serveParkingAPI sends webhooks to the URL that is its argument, if there is one.
func serveParkingAPI(args []string) error {
	var options []testsuite.Option
	for _, url := range args {
		options = append(options, testsuite.WithWebhooks(url, nil))
	}
	api, err := testsuite.StartAPI(options...)
	if err != nil {
		return err
	}
	defer func() { _ = api.Close() }() // the parent learns of trouble from the workflows
	agentID := api.ServeAgent("Parked", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.Work(parkedFor), testsuite.Complete("success", "", nil)}
	})
	p := &parking{api: api}
	mux := http.NewServeMux()
	handle(mux, "/parked", p.parked)
	handle(mux, "/end", p.end)
	control, err := serveControl(mux)
	if err != nil {
		return err
	}
	place := parkingPlace{
		apiPlace: apiPlace{api.BaseURL(), api.OrganizationID(), api.APIKey()}, AgentID: agentID, Control: control,
	}
	if len(args) > 0 {
		place.WebhookKey = api.WebhookPublicKey()
	}
	return serveUntilParentGoes(place)
}

// parking is what the parent may ask about the executions.
type parking struct {
	api *testsuite.API

	mu         sync.Mutex
	byWorkflow map[string]string
}

// parked is how many are at work.
func (p *parking) parked(context.Context, struct{}) (running int, err error) {
	for _, e := range p.api.Executions() {
		if e.Status == string(asteroid.StatusRunning) {
			running++
		}
	}
	return running, nil
}

// end ends the execution of a workflow and returns when that was. It ends as it would if a person cancelled it: the fake has no
// other end for an agent whose steps are fixed.
func (p *parking) end(ctx context.Context, workflowID string) (time.Time, error) {
	id := p.executionOf(workflowID)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.api.BaseURL()+"/agents/v2/executions/"+id+"/cancel", http.NoBody)
	if err != nil {
		return time.Time{}, err
	}
	request.Header.Set(keyHeader, p.api.APIKey())
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return time.Time{}, err
	}
	defer answer.Body.Close()
	e, _ := p.api.Execution(id)
	if e.TerminalAt.IsZero() {
		return time.Time{}, fmt.Errorf("execution %q of workflow %s did not end: %s", id, workflowID, answer.Status)
	}
	return e.TerminalAt, nil
}

func (p *parking) executionOf(workflowID string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byWorkflow[workflowID] == "" {
		p.byWorkflow = map[string]string{}
		for _, e := range p.api.Executions() {
			p.byWorkflow[e.Metadata[asteroid.MetadataWorkflowID]] = e.ID
		}
	}
	return p.byWorkflow[workflowID]
}
