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

// normalized fills defaults and checks what can be checked without the network.
func normalized(c asteroid.Connection) (asteroid.Connection, error) {
	if c.APIKey == nil {
		return c, errors.New("APIKey is nil: give a function that returns the key, such as asteroid.APIKeyFromEnv(\"ASTEROID_API_KEY\")")
	}
	if c.Dialect == "" {
		c.Dialect = asteroid.DialectAgents
	}
	if !slices.Contains([]asteroid.Dialect{asteroid.DialectAgents, asteroid.DialectWorkflows}, c.Dialect) {
		return c, fmt.Errorf("dialect %q is neither %q nor %q", c.Dialect, asteroid.DialectAgents, asteroid.DialectWorkflows)
	}
	if c.OrganizationID != "" && !text.PlainID(c.OrganizationID) {
		return c, fmt.Errorf("OrganizationID %q is not an id", c.OrganizationID)
	}
	base, err := url.Parse(cmp.Or(c.BaseURL, asteroid.DefaultBaseURL))
	switch {
	case err != nil:
		return c, errors.New("BaseURL cannot be parsed: give one like " + asteroid.DefaultBaseURL)
	case base.User != nil:
		return c, errors.New("BaseURL holds a user name or password: credentials belong into APIKey")
	case base.Host == "" || base.Scheme != "https" && base.Scheme != "http":
		return c, fmt.Errorf("BaseURL %q is not an http or https address: give one like %s", base, asteroid.DefaultBaseURL)
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
