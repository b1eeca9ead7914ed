package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rsa"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid/worker"
)

type announcement struct {
	BaseURL, OrganizationID, APIKey string
	Agents                          map[string]string
	Organizations                   []struct {
		Name, OrganizationID, APIKey string
		Agents                       map[string]string
	}
	WebhookKey string
}

// startFake runs the program until the test ends and returns its line of JSON.
func startFake(t *testing.T, args ...string) announcement {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	reader, writer := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, append([]string{"--listen", "127.0.0.1:0", "--json"}, args...), writer, io.Discard)
	}()
	t.Cleanup(func() {
		stop()
		if got := <-code; got != 0 {
			t.Errorf("exit code %d", got)
		}
	})
	line, err := bufio.NewReader(reader).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var announced announcement
	if err := json.Unmarshal(line, &announced); err != nil {
		t.Fatal(err)
	}
	return announced
}

func TestFakeAnnouncesInOneLineOfJSONAndServes(t *testing.T) {
	announced := startFake(t, "--api-key", "mine")
	if announced.APIKey != "mine" || announced.OrganizationID == "" {
		t.Errorf("announced %+v", announced)
	}
	for _, name := range []string{"inventory", "totals", "report", "patient", "echo"} {
		if announced.Agents[name] == "" {
			t.Errorf("agent %s is missing in %v", name, announced.Agents)
		}
	}
	request, err := http.NewRequest("GET", announced.BaseURL+"/users/v2/whoami", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Api-Key", "mine")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("status %d", response.StatusCode)
	}
}

func TestFakeServesFurtherOrganizations(t *testing.T) {
	announced := startFake(t, "--organization", "Partner", "--organization", "Other")
	if len(announced.Organizations) != 2 || announced.Organizations[0].Name != "Partner" {
		t.Fatalf("announced %+v", announced)
	}
	partner := announced.Organizations[0]
	for key, want := range map[string]int{partner.APIKey: 202, announced.APIKey: 403, announced.Organizations[1].APIKey: 403} {
		request, err := http.NewRequest("POST", announced.BaseURL+"/agents/v2/agents/"+partner.Agents["echo"]+"/execute", strings.NewReader(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-Api-Key", key)
		request.Header.Set("Content-Type", "application/json")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("status %d instead of %d", response.StatusCode, want)
		}
	}
}

func TestFakePrintsEnvironmentAndAgents(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	stop()
	var stdout, stderr bytes.Buffer
	if code := run(ctx, []string{"--listen", "127.0.0.1:0"}, &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	for _, want := range []string{"ASTEROID_BASE_URL=http://127.0.0.1:", "ASTEROID_API_KEY=", "ASTEROID_ORGANIZATION_ID=", "inventory", "/executions/"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, &stdout)
		}
	}
}

func TestFakeReportsAddressInUseInOneLine(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	var stdout, stderr bytes.Buffer
	code := run(context.Background(), []string{"--listen", listener.Addr().String()}, &stdout, &stderr)
	if code != 1 || strings.Count(stderr.String(), "\n") != 1 || !strings.Contains(stderr.String(), "--listen") {
		t.Errorf("exit code %d, stderr %q", code, &stderr)
	}
}

func TestFakeRejectsWrongCommandLine(t *testing.T) {
	for _, args := range [][]string{{"--port", "1"}, {"now"}, {"--concurrency", "x"}, {"--concurrency", "-1"}, {"--webhooks", "localhost:8080"}, {"--organization", ""}} {
		if code := run(context.Background(), args, io.Discard, io.Discard); code != 2 {
			t.Errorf("%v: exit code %d", args, code)
		}
	}
}

func TestFakeSignsWebhooksWithAnnouncedKey(t *testing.T) {
	signal := make(chan string, 1)
	var handler atomic.Pointer[worker.WebhookHandler]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.Load().ServeHTTP(w, r) }))
	defer server.Close()
	announced := startFake(t, "--webhooks", server.URL)
	key, err := worker.ParseWebhookPublicKey(announced.WebhookKey)
	if err != nil {
		t.Fatal(err)
	}
	receiver, err := worker.NewWebhookHandler(worker.WebhookOptions{
		Clients: map[string]client.Client{"default": signalled{ids: signal}}, PublicKeys: []*rsa.PublicKey{key},
	})
	if err != nil {
		t.Fatal(err)
	}
	handler.Store(receiver)
	request, err := http.NewRequest("POST", announced.BaseURL+"/agents/v2/agents/"+announced.Agents["patient"]+"/execute", strings.NewReader(
		`{"inputs":{"seconds":0},"metadata":{"temporal_namespace":"default","temporal_workflow_id":"claim-7","temporal_signal":"asteroid.executionEvent"}}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Api-Key", announced.APIKey)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusAccepted {
		t.Fatalf("status %d", response.StatusCode)
	}
	select {
	case id := <-signal:
		if id != "claim-7" {
			t.Errorf("signalled %q", id)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("no signal")
	}
}

// signalled is a Temporal client that reports the ids of the signalled workflows.
type signalled struct {
	client.Client
	ids chan<- string
}

func (s signalled) SignalWorkflow(_ context.Context, workflowID, _, _ string, _ any) error {
	select {
	case s.ids <- workflowID:
	default:
	}
	return nil
}

// This repository does not install the vendor's SDKs. The variables name Python interpreters that
// have the packages of clients/*.txt.
func TestFakeServesVendorSDKs(t *testing.T) {
	for dialect, variable := range map[string]string{
		"agents": "ASTEROID_AGENTS_SDK_PYTHON", "workflows": "ASTEROID_WORKFLOWS_SDK_PYTHON",
	} {
		t.Run(dialect, func(t *testing.T) {
			python := os.Getenv(variable)
			if python == "" {
				t.Skipf("%s is not set", variable)
			}
			announced := startFake(t)
			client := exec.CommandContext(t.Context(), python, "clients/"+dialect+"_dialect.py")
			client.Env = append(os.Environ(), "ASTEROID_BASE_URL="+announced.BaseURL, "ASTEROID_API_KEY="+announced.APIKey,
				"ASTEROID_ORGANIZATION_ID="+announced.OrganizationID)
			if output, err := client.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, output)
			}
		})
	}
}
