package worker_test

import (
	"context"
	"crypto/rsa"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid/testsuite"
	asteroidworker "github.com/temporal-asteroid/asteroid/worker"
)

// The handler is one route of a server, in the worker's process or in another one.
func ExampleNewWebhookHandler() {
	key, err := asteroidworker.ParseWebhookPublicKey(os.Getenv("ASTEROID_WEBHOOK_PUBLIC_KEY"))
	if err != nil {
		log.Fatal(err)
	}
	temporalClient, err := client.NewLazyClient(client.Options{Namespace: "claims"})
	if err != nil {
		log.Fatal(err)
	}
	handler, err := asteroidworker.NewWebhookHandler(asteroidworker.WebhookOptions{
		Clients:    map[string]client.Client{"claims": temporalClient},
		PublicKeys: []*rsa.PublicKey{key},
		Secrets:    []string{os.Getenv("ASTEROID_WEBHOOK_SECRET")}, // also Options.WebhookSecrets of the workers
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/webhooks/asteroid", handler)
	server := &http.Server{Addr: ":8443", Handler: mux, ReadTimeout: 10 * time.Second}
	_ = server.ListenAndServeTLS // call it with a certificate
}

// printer is a Temporal client that prints signals.
type printer struct{ client.Client }

func (printer) SignalWorkflow(_ context.Context, workflowID, _, name string, arg any) error {
	fmt.Printf("%s to %s:\n%+v\n", name, workflowID, arg)
	return nil
}

// A test signs its events with its own key.
func ExampleWebhookHandler() {
	key := testsuite.NewWebhookKey()
	handler, err := asteroidworker.NewWebhookHandler(asteroidworker.WebhookOptions{
		Clients:    map[string]client.Client{"claims": printer{}},
		PublicKeys: []*rsa.PublicKey{&key.PublicKey},
		MaxAge:     -1, // accepts the old timestamp below
	})
	if err != nil {
		log.Fatal(err)
	}
	body := []byte(`{
		"type": "execution",
		"event_id": "5a0c",
		"timestamp": "2026-03-01T12:00:00Z",
		"info": {
			"event": "EXECUTION_COMPLETED",
			"execution_id": "81f2",
			"payload": {},
			"metadata": {
				"temporal_namespace": "claims",
				"temporal_workflow_id": "claim-7",
				"temporal_signal": "asteroid.executionEvent"
			}
		}
	}`)
	for range 2 { // the sender posts the event again
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, testsuite.NewWebhookRequest("/webhooks/asteroid", key, body))
		fmt.Println(response.Code)
	}
	// Output:
	// asteroid.executionEvent to claim-7:
	// {ExecutionID:81f2 Status:completed Event:EXECUTION_COMPLETED EventID:5a0c}
	// 200
	// 200
}
