package client

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/api"
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
	me, err := fetch[api.Whoami](ctx, c, Operation{Name: "WhoamiGet"}, func(ctx context.Context) (*http.Response, error) {
		return c.api.WhoamiGet(ctx)
	}, http.StatusOK)
	switch {
	case err == nil && text.PlainID(value(me.OrganizationID)):
		return *me.OrganizationID, nil
	case err != nil && !HasStatus(err, http.StatusNotFound): // older services have no whoami
		return "", err
	}
	member, err := fetch[api.UserContext](ctx, c, Operation{Name: "ContextGet"}, func(ctx context.Context) (*http.Response, error) {
		return c.api.ContextGet(ctx)
	}, http.StatusOK)
	if err != nil {
		return "", err
	}
	if len(member.Organizations) == 1 && text.PlainID(member.Organizations[0].ID) {
		return member.Organizations[0].ID, nil
	}
	names := make([]string, len(member.Organizations))
	for i, o := range member.Organizations {
		names[i] = fmt.Sprintf("%s (%s)", o.ID, o.Name)
	}
	return "", asteroid.NewInvalidInput("connection", fmt.Sprintf("the API key of %q spans %d organizations: set OrganizationID to one of them: %s",
		c.Name, len(names), strings.Join(names, ", ")))
}
