package client

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// VisibleOrganization returns the organization whose executions the key sees. It is empty for a key
// that spans several; a list without an organization covers all of them.
func (c *Client) VisibleOrganization(ctx context.Context) (string, error) {
	organizationID, err := c.organization(ctx)
	if err != nil && !asteroid.IsInvalidInput(err) {
		return "", err
	}
	return organizationID, nil
}

// Scope identifies the executions that the key sees: it is the id of its organization, or the ids
// of all that it spans. Where the service does not tell these, it is the connection's name.
func (c *Client) Scope(ctx context.Context) (string, error) {
	if c.OrganizationID != "" {
		return c.OrganizationID, nil
	}
	if err := c.lockOrganization(ctx); err != nil {
		return "", err
	}
	defer c.unlockOrganization()
	if c.organizationID == "" && c.spanned == "" {
		var err error
		if c.organizationID, err = c.lookUpOrganization(ctx); err != nil && !asteroid.IsInvalidInput(err) {
			return "", err
		}
	}
	return cmp.Or(c.organizationID, c.spanned, "connection "+c.Name), nil
}

// organization returns the id of the key's organization. If the connection names none, the first
// call looks it up.
func (c *Client) organization(ctx context.Context) (string, error) {
	if c.OrganizationID != "" {
		return c.OrganizationID, nil
	}
	if err := c.lockOrganization(ctx); err != nil {
		return "", err
	}
	defer c.unlockOrganization()
	var err error
	if c.organizationID == "" {
		c.organizationID, err = c.lookUpOrganization(ctx)
	}
	return c.organizationID, err
}

func (c *Client) lockOrganization(ctx context.Context) error {
	select {
	case c.organizationLock <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *Client) unlockOrganization() { <-c.organizationLock }

// lookUpOrganization asks the service. It returns asteroid.InvalidInput for a key that spans
// several organizations.
func (c *Client) lookUpOrganization(ctx context.Context) (string, error) {
	ids, names, err := c.organizations(ctx)
	if err != nil || len(ids) == 1 {
		return strings.Join(ids, ""), err
	}
	c.spanned = strings.Join(slices.Sorted(slices.Values(ids)), ",")
	return "", c.spanningError(names)
}

func (c *Client) spanningError(organizations []string) error {
	return asteroid.NewInvalidInput("connection", fmt.Sprintf("the API key of %q spans %d organizations: set OrganizationID to one of them: %s",
		c.Name, len(organizations), strings.Join(organizations, ", ")))
}

// organizations returns the ids of the key's organizations, and what to call them.
func (c *Client) organizations(ctx context.Context) (ids, names []string, err error) {
	me, err := c.fetchObject(ctx, Operation{Name: "WhoamiGet"}, func(ctx context.Context) (*http.Response, error) {
		return c.api.WhoamiGet(ctx)
	}, anySuccess)
	switch id := me.text("organizationId"); {
	case err == nil && text.PlainID(id):
		return []string{id}, []string{id}, nil
	case err != nil && !HasStatus(err, http.StatusNotFound): // older services have no whoami
		return nil, nil, err
	}
	return c.memberships(ctx)
}

// memberships returns the organizations of the person to whom the key belongs.
func (c *Client) memberships(ctx context.Context) (ids, names []string, err error) {
	user, err := c.fetchObject(ctx, Operation{Name: "ContextGet"}, func(ctx context.Context) (*http.Response, error) {
		return c.api.ContextGet(ctx)
	}, anySuccess)
	if err != nil {
		return nil, nil, err
	}
	for _, o := range user.objects("organizations") {
		if id := o.text("id"); text.PlainID(id) {
			ids, names = append(ids, id), append(names, fmt.Sprintf("%s (%s)", id, o.text("name")))
		}
	}
	return ids, names, nil
}

// Check asks the service whether it takes the key, and whether OrganizationID is an organization of
// the key. Without an OrganizationID the key must not span several, unless no request needs one.
func (c *Client) Check(ctx context.Context) error {
	ids, names, err := c.organizations(ctx)
	switch {
	case err != nil || c.isOneOf(ids) || c.OrganizationID == "" && len(ids) == 1:
		return err
	case c.OrganizationID == "" && c.Dialect == asteroid.DialectWorkflows:
		return nil // staged files go to the key's organization, and lists cover all
	case c.OrganizationID == "":
		return c.spanningError(names)
	}
	// The organization for which a person's key acts need not be the only one.
	if more, moreNames, err := c.memberships(ctx); err == nil && len(more) > 0 {
		ids, names = more, moreNames
	}
	if len(ids) == 0 || c.isOneOf(ids) { // a service that tells of none refuses a wrong one later
		return nil
	}
	return asteroid.NewInvalidInput("connection", fmt.Sprintf("OrganizationID %s of %q is no organization of its API key: set it to one of them: %s",
		c.OrganizationID, c.Name, strings.Join(names, ", ")))
}

// CloseIdle closes connections that no request uses, unless the transport is the user's.
func (c *Client) CloseIdle() {
	if transport, ok := c.Transport.(*http.Transport); ok && c.ownTransport {
		transport.CloseIdleConnections()
	}
}

// isOneOf reports whether OrganizationID is among the ids. Those of the service have no case.
func (c *Client) isOneOf(ids []string) bool {
	return slices.ContainsFunc(ids, func(id string) bool { return strings.EqualFold(id, c.OrganizationID) })
}
