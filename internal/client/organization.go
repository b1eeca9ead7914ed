package client

import (
	"context"
	"fmt"
	"net/http"
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

// organization returns the id of the key's organization. If the connection names none, the first
// call looks it up.
func (c *Client) organization(ctx context.Context) (string, error) {
	if c.OrganizationID != "" {
		return c.OrganizationID, nil
	}
	select {
	case c.organizationLock <- struct{}{}:
		defer func() { <-c.organizationLock }()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	var err error
	if c.organizationID == "" {
		c.organizationID, err = c.lookUpOrganization(ctx)
	}
	return c.organizationID, err
}

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
	names := make([]string, len(organizations))
	for i, o := range organizations {
		names[i] = fmt.Sprintf("%s (%s)", o.text("id"), o.text("name"))
	}
	return "", asteroid.NewInvalidInput("connection", fmt.Sprintf("the API key of %q spans %d organizations: set OrganizationID to one of them: %s",
		c.Name, len(names), strings.Join(names, ", ")))
}
