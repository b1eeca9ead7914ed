package testsuite

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

// agent is an agent, which the workflows dialect calls a workflow.
type agent struct {
	id, name     string
	organization *organization
	userID       string
	createdAt    time.Time
	served       Agent      // the script of every execution, or nil
	scripted     []Agent    // if served is nil, one script for each execution
	taken        int        // how many of the scripted ones are used
	declared     []*version // by number, from 1 on
	undeclared   map[int]*version
	shared       []*sharedFile
}

func (s *service) addAgent(o *organization, name string) *agent {
	a := &agent{
		id: newUUID(), name: name, organization: o, userID: newUUID(), createdAt: s.last, undeclared: map[int]*version{},
	}
	s.agents[a.id] = a
	s.agentOrder = append(s.agentOrder, a)
	return a
}

// next returns the script of one more execution. Without one it reports the problem and returns a
// script that fails and says why.
func (a *agent) next(report func(message string)) Agent {
	if a.served != nil {
		return a.served
	}
	if a.taken == len(a.scripted) {
		problem := fmt.Sprintf("agent %q was scripted for %d executions and an execute asked for one more; "+
			"pass AddAgent another script, or use ServeAgent", a.name, len(a.scripted))
		report(problem)
		return func(Run) []Step {
			return []Step{Fail("The fake Asteroid API has no script for this execution: " + problem + ".")}
		}
	}
	a.taken++
	return a.scripted[a.taken-1]
}

// agentOf returns the agent with this id, if the key may use it.
func (s *service) agentOf(key *apiKey, id string) (*agent, *reply) {
	a := s.agents[strings.ToLower(id)]
	if a == nil {
		return nil, new(problem(http.StatusNotFound, fmt.Sprintf("No agent or workflow has the id %q.", id)))
	}
	if !key.memberOf(a.organization) {
		return nil, new(problem(http.StatusForbidden, "The agent belongs to an organization that the key is not a member of."))
	}
	return a, nil
}

// AgentList serves GET /agents/v2/agents.
func (s *service) AgentList(w http.ResponseWriter, r *http.Request, params api.AgentListParams) {
	key := caller(r)
	s.serve(w, r, func(time.Time) reply {
		o, refused := s.organizationOf(key, params.OrganizationID)
		if refused != nil {
			if refused.status == http.StatusNotFound {
				return plain(http.StatusNotFound, "Organization not found.")
			}
			if refused.status == http.StatusBadRequest {
				return plain(http.StatusBadRequest, "Invalid request parameters.")
			}
			return *refused
		}
		page, refused := newPage(params.Page, params.PageSize)
		if refused != nil || unknownQuery(r, params) != nil ||
			params.SortField != nil && !params.SortField.Valid() || params.SortDirection != nil && !params.SortDirection.Valid() {
			return plain(http.StatusBadRequest, "Invalid request parameters.")
		}

		var found []*agent
		for _, a := range s.agentOrder {
			if (o == nil || a.organization == o) && key.memberOf(a.organization) &&
				(params.SearchName == nil || containsFold(a.name, *params.SearchName)) {
				found = append(found, a)
			}
		}
		if params.SortField != nil && *params.SortField == api.AgentSortFieldName {
			slices.SortStableFunc(found, func(a, b *agent) int { return cmp.Compare(a.name, b.name) })
		}
		if params.SortDirection != nil && *params.SortDirection == api.SortDirectionDesc {
			slices.Reverse(found)
		}
		body := api.AgentPage{Items: []api.Agent{}, Page: page.number, PageSize: page.size, Total: int64(len(found))}
		for _, a := range pageOf(page, found) {
			body.Items = append(body.Items, api.Agent{
				ID: a.id, Name: a.name, CreatedAt: a.createdAt, OrganizationID: new(a.organization.id), UserID: a.userID,
			})
		}
		return answer(http.StatusOK, body)
	})
}
