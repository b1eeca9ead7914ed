package client

import (
	"context"
	"net/http"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/api"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// Agents lists the agents whose name contains a text, by name, at most about limit
// (https://docs.asteroid.ai/api-reference/agents/list-agents). It reports whether these are all.
func (c *Client) Agents(ctx context.Context, searchName string, limit int) (found []asteroid.AgentSummary, complete bool, err error) {
	organizationID, _ := c.VisibleOrganization(ctx) // a key that spans several sees the agents of all
	field := api.AgentSortFieldName
	params := &api.AgentListParams{OrganizationID: optional(organizationID), SearchName: optional(searchName), SortField: &field}
	size := int32(ListPageSize)
	params.PageSize = &size
	for number, listed := int32(1), 0; number <= maxLookupPages && len(found) < limit; number++ {
		params.Page = &number
		page, err := c.fetchObject(ctx, Operation{Name: "AgentList"}, func(ctx context.Context) (*http.Response, error) {
			return c.api.AgentList(ctx, params)
		}, anySuccess)
		if err != nil {
			return nil, false, err
		}
		items := page.objects("items")
		for _, item := range items {
			if id := item.text("id"); text.PlainID(id) {
				found = append(found, asteroid.AgentSummary{AgentID: id, Name: item.text("name"), CreatedAt: item.time("createdAt")})
			}
		}
		listed += len(items)
		if lastPage(int64(len(items)), int64(listed), page.integer("total")) {
			return found, true, nil
		}
	}
	return found, false, nil
}
