package testsuite

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

// The headers that carry a key, of the workflows and the agents dialect. Every route takes both.
const (
	keyHeader       = "X-Api-Key"
	legacyKeyHeader = "X-Asteroid-Agents-Api-Key"
)

// organization owns agents, staged files and executions.
type organization struct {
	id, name string
	active   int // executions that are neither queued nor terminal
	queue    []*execution
}

// apiKey belongs to a user, who is a member of the organizations.
type apiKey struct {
	id, name, secret string
	userID, email    string
	organizations    []*organization
}

func (k *apiKey) memberOf(o *organization) bool { return slices.Contains(k.organizations, o) }

func (s *service) addOrganization(name string) *organization {
	o := &organization{id: newUUID(), name: name}
	s.organizations[o.id] = o
	return o
}

func (s *service) addKey(secret string, organizations ...*organization) *apiKey {
	k := &apiKey{
		id: newUUID(), name: "key of the fake", secret: secret,
		userID: newUUID(), email: "person@example.com", organizations: organizations,
	}
	s.keys[secret] = k
	return k
}

type callerKey struct{}

func caller(r *http.Request) *apiKey { return r.Context().Value(callerKey{}).(*apiKey) }

// authenticate refuses requests without a known key.
func (s *service) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, message := s.identify(r.Header)
		if key == nil {
			problem(http.StatusUnauthorized, message).write(w, r)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, key)))
	})
}

func (s *service) identify(header http.Header) (*apiKey, string) {
	keys := slices.Concat(header.Values(keyHeader), header.Values(legacyKeyHeader))
	if len(keys) == 0 {
		return nil, "The request has no API key. Send it as " + keyHeader + " or " + legacyKeyHeader + "."
	}
	if len(slices.Compact(keys)) > 1 {
		return nil, "The request has two different API keys. Send one."
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := s.keys[keys[0]]
	if key == nil {
		return nil, "The API key is unknown. Check that it belongs to this server."
	}
	return key, ""
}

// usedKeyHeader returns the names of the headers that carry a key, separated by a comma.
func usedKeyHeader(header http.Header) string {
	var used []string
	for _, name := range []string{keyHeader, legacyKeyHeader} {
		if header.Get(name) != "" {
			used = append(used, name)
		}
	}
	return strings.Join(used, ", ")
}

// organizationOf returns the organization that a request names, or nil if it names none.
func (s *service) organizationOf(key *apiKey, id *string) (*organization, *reply) {
	if id == nil {
		return nil, nil
	}
	if !isUUID(*id) {
		return nil, new(invalid("organizationId", "%q is not a UUID", *id))
	}
	o := s.organizations[strings.ToLower(*id)]
	if o == nil {
		return nil, new(problem(http.StatusNotFound, "Organization not found."))
	}
	if !key.memberOf(o) {
		return nil, new(problem(http.StatusForbidden, "User is not a member of the organization."))
	}
	return o, nil
}

// ContextGet serves GET /agents/v2/context.
func (s *service) ContextGet(w http.ResponseWriter, r *http.Request) {
	key := caller(r)
	s.serve(w, r, func(time.Time) reply {
		body := api.UserContext{UserID: key.userID, Email: key.email}
		type membership = struct {
			ID   string `json:"id"`
			Name string `json:"name"`
		}
		body.Organizations = []membership{}
		for _, o := range key.organizations {
			body.Organizations = append(body.Organizations, membership{o.id, o.name})
		}
		return answer(http.StatusOK, body)
	})
}

// WhoamiGet serves GET /users/v2/whoami.
func (s *service) WhoamiGet(w http.ResponseWriter, r *http.Request) {
	key := caller(r)
	s.serve(w, r, func(time.Time) reply {
		body := api.Whoami{Kind: "person", ID: key.userID, APIKeyID: &key.id, Credential: "user_api_key"}
		body.Person = &struct {
			Email *string `json:"email,omitempty"`
			ID    *string `json:"id,omitempty"`
		}{&key.email, &key.userID}
		if len(key.organizations) == 1 {
			body.OrganizationID = &key.organizations[0].id
		}
		return answer(http.StatusOK, body)
	})
}
