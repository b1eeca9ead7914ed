package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	sdklog "go.temporal.io/sdk/log"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/worker"
)

// The environment of the workers, beside the address and the key of the API.
const (
	secondKeyEnv   = "CHAOS_SECOND_API_KEY"   // of connectionSecond
	separateKeyEnv = "CHAOS_SEPARATE_API_KEY" // of connectionSeparate
	outputEnv      = "CHAOS_OUTPUT"           // the directory to which files are saved
	tokensEnv      = "CHAOS_WEBHOOK_TOKENS"   //nolint:gosec // the name of the variable with the secret
)

// optionsFromEnv returns a function that adds what the environment names to a worker's options.
func optionsFromEnv(queue string) func(*worker.Options) {
	return func(o *worker.Options) {
		for name, key := range map[string]string{connectionSecond: secondKeyEnv, connectionSeparate: separateKeyEnv} {
			connection := o.Connections[connectionAgents]
			connection.APIKey = asteroid.APIKeyFromEnv(key)
			o.Connections[name] = connection
		}
		o.Limits.PerProfile = 1
		o.OutputRoots = []string{os.Getenv(outputEnv)}
		o.Stores = map[string]asteroid.Store{sourceScheme: sourceStore{os.Getenv(controlEnv) + "/sources"}}
		if queue == taskQueueWebhooks {
			o.Events, o.WebhookSecrets = asteroid.EventsWebhooks, []string{os.Getenv(tokensEnv)}
			for name, connection := range o.Connections {
				connection.Transport = lateResponses{connection.Transport}
				o.Connections[name] = connection
			}
		}
	}
}

// lateResponses delays the responses to executes, so that webhooks overtake them.
type lateResponses struct{ http.RoundTripper }

// executeDelay is longer than startDelay, and a good part of requestTimeout.
const executeDelay = 700 * time.Millisecond

func (t lateResponses) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := t.RoundTripper.RoundTrip(r)
	if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/execute") {
		select {
		case <-time.After(executeDelay):
		case <-r.Context().Done():
		}
	}
	return response, err
}

// sourceScheme is the scheme of the files that the control server serves.
const sourceScheme = "chaos"

// sourceStore reads files from the control server below a URL.
type sourceStore struct{ url string }

func (s sourceStore) Stat(ctx context.Context, uri *url.URL) (asteroid.FileInfo, error) {
	response, err := s.request(ctx, http.MethodHead, uri)
	if err != nil {
		return asteroid.FileInfo{}, err
	}
	return asteroid.FileInfo{Size: response.ContentLength}, response.Body.Close()
}

func (s sourceStore) Open(ctx context.Context, uri *url.URL) (io.ReadCloser, error) {
	response, err := s.request(ctx, http.MethodGet, uri)
	if err != nil {
		return nil, err
	}
	return response.Body, nil
}

func (s sourceStore) request(ctx context.Context, method string, uri *url.URL) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, s.url+uri.Path, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(r)
	switch {
	case err != nil:
		return nil, err
	case response.StatusCode == http.StatusNotFound:
		err = fs.ErrNotExist
	case response.StatusCode != http.StatusOK:
		err = fmt.Errorf("the control server answers %s", response.Status)
	}
	if err != nil {
		_ = response.Body.Close()
		return nil, err
	}
	return response, nil
}

// Write returns errors.ErrUnsupported.
func (sourceStore) Write(context.Context, *url.URL, io.Reader, asteroid.FileInfo) error {
	return errors.ErrUnsupported
}

func discardLogger() sdklog.Logger {
	return sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))
}
