package client

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// normalized fills in defaults and validates the connection without a request. It returns the base
// address parsed, too.
func normalized(c asteroid.Connection) (asteroid.Connection, *url.URL, error) {
	if c.APIKey == nil {
		return c, nil, errors.New("APIKey is nil: set a function that returns the key, such as asteroid.APIKeyFromEnv(\"ASTEROID_API_KEY\")")
	}
	if c.Dialect == "" {
		c.Dialect = asteroid.DialectAgents
	}
	if !slices.Contains([]asteroid.Dialect{asteroid.DialectAgents, asteroid.DialectWorkflows}, c.Dialect) {
		return c, nil, fmt.Errorf("dialect %q is neither %q nor %q", c.Dialect, asteroid.DialectAgents, asteroid.DialectWorkflows)
	}
	if c.OrganizationID != "" && !text.PlainID(c.OrganizationID) {
		return c, nil, fmt.Errorf("OrganizationID %q is not an id", c.OrganizationID)
	}
	base, err := url.Parse(cmp.Or(c.BaseURL, asteroid.DefaultBaseURL))
	switch {
	case err != nil:
		return c, nil, errors.New("BaseURL cannot be parsed: set one like " + asteroid.DefaultBaseURL)
	case base.User != nil:
		return c, nil, errors.New("BaseURL has a user name or password: credentials belong in APIKey")
	case base.Host == "" || base.Scheme != "https" && base.Scheme != "http":
		return c, nil, fmt.Errorf("BaseURL %q is not an http or https address: set one like %s", base, asteroid.DefaultBaseURL)
	case base.Scheme == "http" && !loopback(base.Hostname()):
		return c, nil, fmt.Errorf("BaseURL %q would send the API key unencrypted: use https (http is for loopback hosts only)", base)
	case base.RawQuery != "" || base.Fragment != "":
		return c, nil, fmt.Errorf("BaseURL %q has a query or fragment: set the address without them", base.Redacted())
	}
	base.Path = strings.TrimSuffix(strings.TrimRight(base.Path, "/"), "/agents/v2")
	c.BaseURL = base.String()
	return c, base, nil
}

func loopback(host string) bool { return host == "localhost" || net.ParseIP(host).IsLoopback() }
