package activities

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
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

// normalized fills defaults and checks what can be checked without the network.
func (c Connection) normalized() (Connection, error) {
	if c.APIKey == nil {
		return c, errors.New("APIKey is nil: give a function that returns the key, such as activities.APIKeyFromEnv(\"ASTEROID_API_KEY\")")
	}
	if c.Dialect == "" {
		c.Dialect = DialectAgents
	}
	if !slices.Contains([]Dialect{DialectAgents, DialectWorkflows}, c.Dialect) {
		return c, fmt.Errorf("dialect %q is neither %q nor %q", c.Dialect, DialectAgents, DialectWorkflows)
	}
	if c.OrganizationID != "" && !plainID(c.OrganizationID) {
		return c, fmt.Errorf("OrganizationID %q is not an id", c.OrganizationID)
	}
	base, err := url.Parse(first(c.BaseURL, DefaultBaseURL))
	switch {
	case err != nil:
		return c, errors.New("BaseURL cannot be parsed: give one like " + DefaultBaseURL)
	case base.User != nil:
		return c, errors.New("BaseURL holds a user name or password: credentials belong into APIKey")
	case base.Host == "" || base.Scheme != "https" && base.Scheme != "http":
		return c, fmt.Errorf("BaseURL %q is not an http or https address: give one like %s", base, DefaultBaseURL)
	case base.Scheme == "http" && !loopback(base.Hostname()):
		return c, fmt.Errorf("BaseURL %q would send the API key unencrypted: use https (http is for loopback hosts only)", base)
	case base.RawQuery != "" || base.Fragment != "":
		return c, fmt.Errorf("BaseURL %q has a query or fragment: give the address alone", base.Redacted())
	}
	base.Path = strings.TrimSuffix(strings.TrimRight(base.Path, "/"), "/agents/v2")
	c.BaseURL = base.String()
	return c, nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
