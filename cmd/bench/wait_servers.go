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

// serveTemporal serves a Temporal server. It exits without a shutdown: its data is not needed.
func serveTemporal() error {
	server, err := devserver.Start(context.Background(), devserver.Options{})
	if err != nil {
		return err
	}
	return serveUntilParentExits(server.HostPort())
}

// parkingAPIInfo is the address of an API whose agent runs until the parent ends it.
type parkingAPIInfo struct {
	apiInfo
	AgentID string `json:"agentId"`
	// WebhookKey is the public key of its webhooks; empty without webhooks.
	WebhookKey string `json:"webhookKey"`
	Control    string `json:"control"`
}

// parkedFor is how long an agent runs: longer than any measurement.
const parkedFor = 1000 * time.Hour

// serveParkingAPI serves a fake API that sends webhooks to the URL in args, if any.
func serveParkingAPI(args []string) error {
	var options []testsuite.Option
	for _, url := range args {
		options = append(options, testsuite.WithWebhooks(url, nil))
	}
	api, err := testsuite.StartAPI(options...)
	if err != nil {
		return err
	}
	defer func() { _ = api.Close() }() // problems have failed the workflows
	agentID := api.ServeAgent("Parked", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.Work(parkedFor), testsuite.Complete("success", "", nil)}
	})
	p := &parkingControl{api: api}
	mux := http.NewServeMux()
	handle(mux, "/parked", p.parked)
	handle(mux, "/end", p.end)
	control, err := serveControl(mux)
	if err != nil {
		return err
	}
	info := parkingAPIInfo{
		apiInfo: apiInfo{api.BaseURL(), api.OrganizationID(), api.APIKey()}, AgentID: agentID, Control: control,
	}
	if len(args) > 0 {
		info.WebhookKey = api.WebhookPublicKey()
	}
	return serveUntilParentExits(info)
}

// parkingControl serves the parent's requests about the executions.
type parkingControl struct {
	api *testsuite.API

	mu         sync.Mutex
	byWorkflow map[string]string // execution ids
}

// parked returns the number of running executions.
func (p *parkingControl) parked(context.Context, struct{}) (running int, err error) {
	for _, e := range p.api.Executions() {
		if e.Status == string(asteroid.StatusRunning) {
			running++
		}
	}
	return running, nil
}

// end cancels the execution of a workflow, as a person would, and returns the time at which it
// became terminal. The fake cannot complete an agent whose steps are fixed.
func (p *parkingControl) end(ctx context.Context, workflowID string) (time.Time, error) {
	id := p.executionOf(workflowID)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.api.BaseURL()+"/agents/v2/executions/"+id+"/cancel", http.NoBody)
	if err != nil {
		return time.Time{}, err
	}
	request.Header.Set(keyHeader, p.api.APIKey())
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return time.Time{}, err
	}
	defer response.Body.Close()
	e, _ := p.api.Execution(id)
	if e.TerminalAt.IsZero() {
		return time.Time{}, fmt.Errorf("cancel execution %q of workflow %s: it is not terminal after %s", id, workflowID, response.Status)
	}
	return e.TerminalAt, nil
}

func (p *parkingControl) executionOf(workflowID string) string {
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
