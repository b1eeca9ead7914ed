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

// Connection is one way to reach the service: an address, a key, an organization. A worker has
// connections by name, and inputs carry the name only, so none of this enters a workflow's history.
// A printed Connection shows no key. The worker checks its connections when it is made.
type Connection struct {
	// APIKey returns the key and is required. It is called before every request, so that keys can
	// rotate, and when a worker starts. It must be safe for concurrent use and should be quick. Its
	// error fails the attempt with asteroid.Unavailable, which is retried.
	APIKey func(ctx context.Context) (string, error)
	// OrganizationID may be empty unless the key spans several organizations. When it is empty,
	// the worker asks the service once for the key's organization.
	OrganizationID string
	// BaseURL is DefaultBaseURL when empty. A trailing /agents/v2, which older documentation shows,
	// is stripped. Plain http is refused except to a loopback host.
	BaseURL string
	// Dialect is DialectAgents when empty.
	Dialect Dialect
	// Transport carries the requests; nil means a clone of http.DefaultTransport. It sees the API
	// key in the request's headers. It must not retry: a repeated execute starts a second agent.
	Transport http.RoundTripper
}

// APIKeyFromEnv returns an APIKey function that reads the environment variable at each call. Its
// error names the variable when that is empty or not set.
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

// ConnectionFromEnv returns the connection that the environment describes:
//
//	ASTEROID_API_KEY          the key; required, read at each request
//	ASTEROID_ORGANIZATION_ID  OrganizationID
//	ASTEROID_BASE_URL         BaseURL
//	ASTEROID_DIALECT          Dialect: agents or workflows
func ConnectionFromEnv() Connection {
	return Connection{
		APIKey:         APIKeyFromEnv("ASTEROID_API_KEY"),
		OrganizationID: os.Getenv("ASTEROID_ORGANIZATION_ID"),
		BaseURL:        os.Getenv("ASTEROID_BASE_URL"),
		Dialect:        Dialect(os.Getenv("ASTEROID_DIALECT")),
	}
}

// Dialect is the vocabulary in which a connection speaks to the service. In 2026 Asteroid renamed
// agents to workflows and profile pools to profile groups; an agent's id is the workflow's id. This
// package uses the older names in both dialects, and the worker translates them.
type Dialect string

const (
	// DialectAgents is the dialect of the published page
	// https://docs.asteroid.ai/api-reference/endpoints/agents/execute-an-agent: the header
	// X-Asteroid-Agents-Api-Key, the routes /agents/{agentId}/execute and
	// /temp-files/{organizationId}. It is the default.
	DialectAgents Dialect = "agents"
	// DialectWorkflows is its successor: the header X-Api-Key, the routes
	// /workflows/{workflowId}/execute and /temp-files, and the members profileId, profileGroupId
	// and variantKey.
	DialectWorkflows Dialect = "workflows"
)
