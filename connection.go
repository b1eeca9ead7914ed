package asteroid

import (
	"context"
	"fmt"
	"net/http"
	"os"
)

// DefaultConnection is the name of the connection that an input without one uses.
const DefaultConnection = "default"

// DefaultBaseURL is the service's public address.
const DefaultBaseURL = "https://odyssey.asteroid.ai"

// Connection is one way to reach the service: an address, a key, an organization. Inputs name connections, so that
// none of this travels through a workflow's history. Printing a Connection shows no key.
type Connection struct {
	// APIKey is required. It is asked for before every request, so that keys can rotate; it must be safe for concurrent
	// use and should be quick. An error of it fails the attempt, which is retried.
	APIKey func(ctx context.Context) (string, error)
	// OrganizationID is needed only for a key that spans several organizations. Empty, the service is asked once
	// whose key it is.
	OrganizationID string
	// BaseURL is DefaultBaseURL when empty. A trailing /agents/v2, which older documentation shows, is stripped.
	// Plain http is refused except to a loopback host.
	BaseURL string
	// Dialect is DialectAgents when empty.
	Dialect Dialect
	// Transport carries the requests; nil means a clone of http.DefaultTransport. The API key is in the headers of
	// the requests that it sees. It must not retry: a repeated execute starts a second agent.
	Transport http.RoundTripper
}

// APIKeyFromEnv returns an APIKey function that reads the environment variable at each call. Its error names the
// variable when that is not set.
func APIKeyFromEnv(name string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		if key := os.Getenv(name); key != "" {
			return key, nil
		}
		return "", fmt.Errorf("environment variable %s is not set: put the API key there", name)
	}
}

// StaticAPIKey returns an APIKey function for a key that never changes.
func StaticAPIKey(key string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return key, nil }
}

// ConnectionFromEnv describes a connection by ASTEROID_API_KEY (read at each request, so it may be set later),
// ASTEROID_ORGANIZATION_ID, ASTEROID_BASE_URL and ASTEROID_DIALECT (agents or workflows). Only the first is needed.
func ConnectionFromEnv() Connection {
	return Connection{
		APIKey:         APIKeyFromEnv("ASTEROID_API_KEY"),
		OrganizationID: os.Getenv("ASTEROID_ORGANIZATION_ID"),
		BaseURL:        os.Getenv("ASTEROID_BASE_URL"),
		Dialect:        Dialect(os.Getenv("ASTEROID_DIALECT")),
	}
}

// Dialect is which of the API's two vocabularies a connection speaks. In 2026 the vendor renamed agents to workflows
// and profile pools to profile groups; an agent's id is the workflow's id. The inputs of this package keep one set of
// names, and this file alone translates.
type Dialect string

const (
	// DialectAgents is the published "Execute an agent" page: the header X-Asteroid-Agents-Api-Key,
	// /agents/{agentId}/execute, /temp-files/{organizationId}. The default.
	DialectAgents Dialect = "agents"
	// DialectWorkflows is its successor: the header X-Api-Key, /workflows/{workflowId}/execute, /temp-files,
	// profileId, profileGroupId and variantKey.
	DialectWorkflows Dialect = "workflows"
)
