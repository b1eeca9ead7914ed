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

// profile is who an agent signs in as. Executes take any profile id, also of one that was not
// added.
type profile struct {
	api.Profile
	organization *organization
	mails        []api.InboxEmail // oldest first
}

// profileGroup is a group of profiles, formerly a pool.
type profileGroup struct {
	api.ProfileGroup
	organization *organization
	members      []*profile
}

// InboxEmail is a mail in a profile's inbox.
type InboxEmail struct{ From, Subject, Text string }

// AddProfile adds a profile to the first organization and returns its id.
func (a *API) AddProfile(name string) string {
	a.service.mu.Lock()
	defer a.service.mu.Unlock()
	s, id := a.service, newUUID()
	prefix := id[:8]
	s.profiles = append(s.profiles, &profile{organization: a.organization, Profile: api.Profile{
		ID: id, Name: name, Description: new(""), OrganizationID: a.organization.id, TracingEnabled: new(false), StickyIP: new(false),
		VaultItems: &[]api.ProfileSecret{}, InboxEmailPrefix: &prefix, InboxEmail: prefix + "@agentmail.asteroid.ai", CreatedAt: s.last, UpdatedAt: s.last,
	}})
	return id
}

// AddProfileGroup adds a group of added profiles to the first organization and returns its id. An
// unknown profile fails the test.
func (a *API) AddProfileGroup(name string, profileIDs ...string) string {
	a.service.mu.Lock()
	defer a.service.mu.Unlock()
	s := a.service
	group := &profileGroup{organization: a.organization, ProfileGroup: api.ProfileGroup{
		ID: newUUID(), Name: name, OrganizationID: a.organization.id, SelectionStrategy: "least_recently_used", CreatedAt: s.last, UpdatedAt: s.last,
	}}
	for _, id := range profileIDs {
		if member := s.profile(id); member != nil {
			group.members = append(group.members, member)
		} else {
			s.report(fmt.Sprintf("AddProfileGroup: no profile has the id %q", id))
		}
	}
	s.groups = append(s.groups, group)
	if len(group.members) > 0 {
		s.groupProfiles[group.ID] = group.members[0].ID
	}
	return group.ID
}

// AddInboxEmail adds a mail to the inbox of an added profile and returns its id. An unknown profile
// fails the test.
func (a *API) AddInboxEmail(profileID string, mail InboxEmail) string {
	now := a.service.lockAndAdvance()
	defer a.service.mu.Unlock()
	p := a.service.profile(profileID)
	if p == nil {
		a.service.report(fmt.Sprintf("AddInboxEmail: no profile has the id %q", profileID))
		return ""
	}
	id := newUUID()
	p.mails = append(p.mails, api.InboxEmail{ID: id, From: mail.From, To: []string{p.InboxEmail}, Subject: mail.Subject, Text: &mail.Text, CreatedAt: now})
	return id
}

func (s *service) profile(id string) *profile {
	at := slices.IndexFunc(s.profiles, func(p *profile) bool { return strings.EqualFold(p.ID, id) })
	if at < 0 {
		return nil
	}
	return s.profiles[at]
}

// profileName returns the name of a profile, added or not.
func (s *service) profileName(id string) string {
	if p := s.profile(id); p != nil {
		return p.Name
	}
	return "Profile " + id[:8]
}

// wireProfile is a profile in the form that the vendor's SDKs insist on. The values of its secrets
// and sessions are nobody's business.
type wireProfile struct {
	api.Profile
	Credentials []string `json:"credentials"`
	Cookies     []string `json:"cookies"`
	browserSettings
}

// browserSettings are those that the SDK of the agents dialect knows.
type browserSettings struct {
	ProxyMode               string   `json:"proxyMode"`
	CaptchaSolverActive     bool     `json:"captchaSolverActive"`
	ExtraStealth            bool     `json:"extraStealth"`
	Allow3rdCookies         bool     `json:"allow3rdCookies"`
	CachePersistence        bool     `json:"cachePersistence"`
	AdblockActive           bool     `json:"adblockActive"`
	PopupBlockerActive      bool     `json:"popupBlockerActive"`
	ForcePopupsAsTabsActive bool     `json:"forcePopupsAsTabsActive"`
	MediaBlockerActive      bool     `json:"mediaBlockerActive"`
	PDFViewerActive         bool     `json:"pdfViewerActive"`
	ExtensionIDs            []string `json:"extensionIds"`
}

func (p *profile) wire() wireProfile {
	empty := []string{}
	return wireProfile{p.Profile, empty, empty, browserSettings{ProxyMode: "none", ExtensionIDs: empty}}
}

// profileOf returns a profile that the key may see.
func (s *service) profileOf(key *apiKey, id string) (*profile, *reply) {
	p := s.profile(id)
	switch {
	case !isUUID(id):
		return nil, new(invalid("profileId", "%q is not a UUID", id))
	case p == nil:
		return nil, new(problem(http.StatusNotFound, fmt.Sprintf("No profile has the id %q.", id)))
	case !key.memberOf(p.organization):
		return nil, new(problem(http.StatusForbidden, "The profile belongs to an organization that the key is not a member of."))
	}
	return p, nil
}

// listing is a sorted list of what an organization has.
type listing struct {
	organizationID, searchName *string
	number, size               *int32
	sortField                  *api.ProfileSortField
	sortDirection              *api.SortDirection
}

// named is what is sorted of a profile or a group.
type named struct {
	name                 string
	createdAt, updatedAt time.Time
	organization         *organization
}

// listed returns one page of rows, and how many there are.
func listed[T any](s *service, r *http.Request, params any, l listing, rows []T, describe func(T) named) ([]T, page, int64, *reply) {
	key := caller(r)
	o, refused := s.organizationOf(key, l.organizationID)
	if refused == nil {
		refused = unknownQuery(r, params)
	}
	var p page
	if refused == nil {
		p, refused = newPage(l.number, l.size)
	}
	switch {
	case refused != nil:
	case l.sortField != nil && !l.sortField.Valid():
		refused = new(invalid("sortField", "%q is not one of name, created_at and updated_at", *l.sortField))
	case l.sortDirection != nil && !l.sortDirection.Valid():
		refused = new(invalid("sortDirection", "%q is not one of asc and desc", *l.sortDirection))
	}
	if refused != nil {
		return nil, p, 0, refused
	}
	found := slices.DeleteFunc(slices.Clone(rows), func(row T) bool {
		d := describe(row)
		return !key.memberOf(d.organization) || o != nil && d.organization != o || !containsFold(d.name, valueOrZero(l.searchName))
	})
	slices.SortStableFunc(found, func(one, other T) int {
		a, b := describe(one), describe(other)
		order := a.createdAt.Compare(b.createdAt)
		switch valueOrZero(l.sortField) {
		case api.ProfileSortFieldName:
			order = cmp.Compare(a.name, b.name)
		case api.ProfileSortFieldUpdatedAt:
			order = a.updatedAt.Compare(b.updatedAt)
		}
		if valueOrZero(l.sortDirection) == api.SortDirectionDesc {
			order = -order
		}
		return order
	})
	return pageOf(p, found), p, int64(len(found)), nil
}

// ProfilesList serves GET /agents/v2/profiles.
func (s *service) ProfilesList(w http.ResponseWriter, r *http.Request, params api.ProfilesListParams) {
	s.serve(w, r, func(time.Time) reply {
		l := listing{params.OrganizationID, params.SearchName, params.Page, params.PageSize, params.SortField, params.SortDirection}
		found, p, total, refused := listed(s, r, params, l, s.profiles, func(p *profile) named {
			return named{p.Name, p.CreatedAt, p.UpdatedAt, p.organization}
		})
		if refused != nil {
			return *refused
		}
		items := []wireProfile{}
		for _, p := range found {
			items = append(items, p.wire())
		}
		return answer(http.StatusOK, pageBody[wireProfile]{items, p.number, p.size, total})
	})
}

// pageBody is one page of a list.
type pageBody[T any] struct {
	Items    []T   `json:"items"`
	Page     int64 `json:"page"`
	PageSize int64 `json:"pageSize"`
	Total    int64 `json:"total"`
}

// ProfileGet serves GET /agents/v2/profiles/{profileId}.
func (s *service) ProfileGet(w http.ResponseWriter, r *http.Request, id string) {
	s.serveProfile(w, r, id, func(p *profile) reply { return answer(http.StatusOK, p.wire()) })
}

func (s *service) serveProfile(w http.ResponseWriter, r *http.Request, id string, serve func(p *profile) reply) {
	s.serve(w, r, func(time.Time) reply {
		p, refused := s.profileOf(caller(r), id)
		if refused != nil {
			return *refused
		}
		return serve(p)
	})
}

// ProfileGetInboxEmails serves GET /agents/v2/profiles/{profileId}/inbox-emails, newest first.
func (s *service) ProfileGetInboxEmails(w http.ResponseWriter, r *http.Request, id string, params api.ProfileGetInboxEmailsParams) {
	s.serveProfile(w, r, id, func(p *profile) reply {
		if refused := unknownQuery(r, params); refused != nil {
			return *refused
		}
		limit := int32(defaultPageSize)
		if params.Limit != nil {
			if limit = *params.Limit; limit < 1 || limit > maxPageSize {
				return invalid("limit", "must be from 1 to %d", maxPageSize)
			}
		}
		body := api.InboxEmails{Emails: []api.InboxEmailSummary{}, HasMore: len(p.mails) > int(limit)}
		for _, mail := range slices.Backward(p.mails[max(0, len(p.mails)-int(limit)):]) {
			body.Emails = append(body.Emails, api.InboxEmailSummary{ID: mail.ID, From: mail.From, To: mail.To, Subject: mail.Subject, CreatedAt: mail.CreatedAt})
			body.EmailCount++
		}
		return answer(http.StatusOK, body)
	})
}

// ProfileGetInboxEmail serves GET /agents/v2/profiles/{profileId}/inbox-emails/{emailId}.
func (s *service) ProfileGetInboxEmail(w http.ResponseWriter, r *http.Request, id, emailID string) {
	s.serveProfile(w, r, id, func(p *profile) reply {
		at := slices.IndexFunc(p.mails, func(mail api.InboxEmail) bool { return mail.ID == emailID })
		if at < 0 {
			return problem(http.StatusNotFound, fmt.Sprintf("The inbox has no mail with the id %q.", emailID))
		}
		return answer(http.StatusOK, p.mails[at])
	})
}

// ProfileGroupsList serves GET /agents/v2/profile-groups.
func (s *service) ProfileGroupsList(w http.ResponseWriter, r *http.Request, params api.ProfileGroupsListParams) {
	s.serve(w, r, func(time.Time) reply {
		l := listing{params.OrganizationID, params.SearchName, params.Page, params.PageSize, params.SortField, params.SortDirection}
		found, p, total, refused := listed(s, r, params, l, s.groups, func(g *profileGroup) named {
			return named{g.Name, g.CreatedAt, g.UpdatedAt, g.organization}
		})
		if refused != nil {
			return *refused
		}
		items := []api.ProfileGroup{}
		for _, g := range found {
			items = append(items, g.ProfileGroup)
		}
		return answer(http.StatusOK, pageBody[api.ProfileGroup]{items, p.number, p.size, total})
	})
}

// groupOf returns a group that the key may see.
func (s *service) groupOf(key *apiKey, id string) (*profileGroup, *reply) {
	if !isUUID(id) {
		return nil, new(invalid("groupId", "%q is not a UUID", id))
	}
	for _, g := range s.groups {
		if !strings.EqualFold(g.ID, id) {
			continue
		}
		if !key.memberOf(g.organization) {
			return nil, new(problem(http.StatusForbidden, "The group belongs to an organization that the key is not a member of."))
		}
		return g, nil
	}
	return nil, new(problem(http.StatusNotFound, fmt.Sprintf("No profile group has the id %q.", id)))
}

// ProfileGroupGet serves GET /agents/v2/profile-groups/{groupId}.
func (s *service) ProfileGroupGet(w http.ResponseWriter, r *http.Request, id string) {
	s.serve(w, r, func(time.Time) reply {
		g, refused := s.groupOf(caller(r), id)
		if refused != nil {
			return *refused
		}
		return answer(http.StatusOK, g.ProfileGroup)
	})
}

// ProfileGroupMembersList serves GET /agents/v2/profile-groups/{groupId}/members.
func (s *service) ProfileGroupMembersList(w http.ResponseWriter, r *http.Request, id string, params api.ProfileGroupMembersListParams) {
	s.serve(w, r, func(time.Time) reply {
		g, refused := s.groupOf(caller(r), id)
		if refused != nil {
			return *refused
		}
		found, p, total, refused := listed(s, r, params, listing{number: params.Page, size: params.PageSize}, g.members, func(p *profile) named {
			return named{p.Name, p.CreatedAt, p.UpdatedAt, p.organization}
		})
		if refused != nil {
			return *refused
		}
		items := []api.ProfileGroupMember{}
		for _, m := range found {
			items = append(items, api.ProfileGroupMember{
				ID: m.ID, Name: m.Name, OrganizationID: m.OrganizationID, CreatedAt: m.CreatedAt, UpdatedAt: m.UpdatedAt,
			})
		}
		return answer(http.StatusOK, pageBody[api.ProfileGroupMember]{items, p.number, p.size, total})
	})
}
