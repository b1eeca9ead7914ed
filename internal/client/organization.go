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
	me, err := c.fetchObject(ctx, Operation{Name: "WhoamiGet"}, func(ctx context.Context) (*http.Response, error) {
		return c.api.WhoamiGet(ctx)
	}, anySuccess)
	switch {
	case err == nil && text.PlainID(me.text("organizationId")):
		return me.text("organizationId"), nil
	case err != nil && !HasStatus(err, http.StatusNotFound): // older services have no whoami
		return "", err
	}
	user, err := c.fetchObject(ctx, Operation{Name: "ContextGet"}, func(ctx context.Context) (*http.Response, error) {
		return c.api.ContextGet(ctx)
	}, anySuccess)
	if err != nil {
		return "", err
	}
	organizations := user.objects("organizations")
	if len(organizations) == 1 && text.PlainID(organizations[0].text("id")) {
		return organizations[0].text("id"), nil
	}
	names, ids := make([]string, len(organizations)), make([]string, len(organizations))
	for i, o := range organizations {
		ids[i] = o.text("id")
		names[i] = fmt.Sprintf("%s (%s)", ids[i], o.text("name"))
	}
	slices.Sort(ids)
	c.spanned = strings.Join(ids, ",")
	return "", asteroid.NewInvalidInput("connection", fmt.Sprintf("the API key of %q spans %d organizations: set OrganizationID to one of them: %s",
		c.Name, len(names), strings.Join(names, ", ")))
}
