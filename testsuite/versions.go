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

// Version is what one version of an agent takes and gives.
type Version struct {
	Inputs []Input
	// Outputs are the JSON Schemas of the result, by the name of the output node.
	Outputs map[string]map[string]any
	// HardTimeoutMins is the hard timeout of a run; the default is 60 minutes. The fake does not
	// enforce it.
	HardTimeoutMins int
	// Draft versions run only when an execute names them, or asks for the head.
	Draft bool
}

// Input is one declared input of a version.
type Input struct {
	Name        string
	Schema      map[string]any // JSON Schema of the value; the default is a string
	Required    bool
	Default     any // nil: none
	Description string
}

const defaultHardTimeoutMins = 60

// version is a version of an agent. Its number and id never change.
type version struct {
	Version
	number    int
	id        string
	createdAt time.Time
}

// AddVersion adds a version to an agent and returns its number, counted from 1. Unless it is a
// draft, it is the published one from now on, which runs when an execute names no version. An agent
// without added versions has every number, and takes whatever it is given. An unknown agent fails
// the test.
func (a *API) AddVersion(agentID string, v Version) int {
	a.service.mu.Lock()
	defer a.service.mu.Unlock()
	agent := a.service.agents[strings.ToLower(agentID)]
	if agent == nil {
		a.service.report(fmt.Sprintf("AddVersion: no agent has the id %q", agentID))
		return 0
	}
	return agent.addVersion(v, a.service.last).number
}

func (a *agent) addVersion(v Version, at time.Time) *version {
	v.HardTimeoutMins = cmp.Or(v.HardTimeoutMins, defaultHardTimeoutMins)
	added := &version{Version: v, number: len(a.declared) + 1, id: newUUID(), createdAt: at}
	a.declared = append(a.declared, added)
	return added
}

// published returns the version that runs when nothing else is asked for, or nil.
func (a *agent) published() *version {
	for _, v := range slices.Backward(a.declared) {
		if !v.Draft {
			return v
		}
	}
	if len(a.declared) == 0 {
		return a.undeclaredVersion(1)
	}
	return nil
}

// numbered returns the version with a number, or nil.
func (a *agent) numbered(number int) *version {
	switch {
	case len(a.declared) == 0:
		return a.undeclaredVersion(number)
	case number > len(a.declared):
		return nil
	}
	return a.declared[number-1]
}

// undeclaredVersion returns a version of an agent that declares none.
func (a *agent) undeclaredVersion(number int) *version {
	if a.undeclared[number] == nil {
		a.undeclared[number] = &version{
			Version: Version{HardTimeoutMins: defaultHardTimeoutMins}, number: number, id: newUUID(), createdAt: a.createdAt,
		}
	}
	return a.undeclared[number]
}

// toRun returns the version that an execute asks for.
func (a *agent) toRun(number *int, head bool) (*version, *reply) {
	v := a.published()
	switch {
	case number != nil:
		if v = a.numbered(*number); v == nil {
			return nil, new(problem(http.StatusNotFound, fmt.Sprintf("The agent has no version %d.", *number)))
		}
	case head && len(a.declared) > 0:
		v = a.declared[len(a.declared)-1]
	case v == nil:
		return nil, new(problem(http.StatusBadRequest, "The agent has no published version: name a version, or publish one."))
	}
	return v, nil
}

// all returns the versions, oldest first.
func (a *agent) all() []*version {
	if len(a.declared) > 0 {
		return a.declared
	}
	a.undeclaredVersion(1)
	var used []*version
	for _, v := range a.undeclared {
		used = append(used, v)
	}
	slices.SortFunc(used, func(one, other *version) int { return cmp.Compare(one.number, other.number) })
	return used
}

// versionOf returns a version by its id, if the key may use its agent.
func (s *service) versionOf(key *apiKey, agentID, versionID string) (*agent, *version, *reply) {
	a, refused := s.agentOf(key, agentID)
	if refused != nil {
		return nil, nil, refused
	}
	for _, v := range a.all() {
		if strings.EqualFold(v.id, versionID) {
			return a, v, nil
		}
	}
	return nil, nil, new(problem(http.StatusNotFound, fmt.Sprintf("No version of the agent has the id %q.", versionID)))
}

// WorkflowVersionsList serves GET /agents/v2/workflows/{workflowId}/versions.
func (s *service) WorkflowVersionsList(w http.ResponseWriter, r *http.Request, agentID string) {
	s.serve(w, r, func(time.Time) reply {
		a, refused := s.agentOf(caller(r), agentID)
		if refused != nil {
			return *refused
		}
		refs := []api.WorkflowVersionRef{}
		for _, v := range a.all() {
			ref := api.WorkflowVersionRef{
				ID: v.id, Version: v.number, IsPublished: v == a.published(), CreatedAt: v.createdAt, IsDeletable: new(false),
			}
			if v.number > 1 && len(a.declared) > 0 {
				ref.ParentID = &a.declared[v.number-2].id
			}
			refs = append(refs, ref)
		}
		return answer(http.StatusOK, refs)
	})
}

// AgentWorkflowsList serves GET /agents/v2/agents/{agentId}/workflows.
func (s *service) AgentWorkflowsList(w http.ResponseWriter, r *http.Request, agentID string) {
	s.WorkflowVersionsList(w, r, agentID)
}

// wireVersion is a version in the form that the vendor's SDKs insist on, with an empty graph.
type wireVersion struct {
	api.WorkflowVersion
	AgentID string   `json:"agentId"`
	Rules   string   `json:"rules"`
	Graph   graph    `json:"graph"`
	Files   []string `json:"files"`
	Rev     int      `json:"rev"`
}

type graph struct {
	Nodes       []string `json:"nodes"`
	Transitions []string `json:"transitions"`
	StickyNotes []string `json:"sticky_notes"`
}

// WorkflowVersionsGet serves GET /agents/v2/workflows/{workflowId}/versions/{versionId}.
func (s *service) WorkflowVersionsGet(w http.ResponseWriter, r *http.Request, agentID, versionID string) {
	s.serveVersion(w, r, agentID, versionID, func(a *agent, v *version) any {
		empty := []string{}
		return wireVersion{AgentID: a.id, Files: empty, Graph: graph{empty, empty, empty}, WorkflowVersion: api.WorkflowVersion{
			ID: v.id, WorkflowID: &a.id, Version: v.number, IsPublished: v == a.published(), CreatedAt: v.createdAt, Inputs: v.wireInputs(),
			Settings: api.WorkflowSettings{ViewportWidth: 1280, ViewportHeight: 720, MaxTimeoutMins: v.HardTimeoutMins},
		}}
	})
}

func (s *service) serveVersion(w http.ResponseWriter, r *http.Request, agentID, versionID string, body func(a *agent, v *version) any) {
	s.serve(w, r, func(time.Time) reply {
		a, v, refused := s.versionOf(caller(r), agentID, versionID)
		if refused != nil {
			return *refused
		}
		return answer(http.StatusOK, body(a, v))
	})
}

func (v *version) wireInputs() []api.WorkflowInput {
	inputs := []api.WorkflowInput{}
	for _, in := range v.Inputs {
		wire := api.WorkflowInput{Name: in.Name, Schema: in.Schema, Required: in.Required, DefaultValue: in.Default}
		if wire.Schema == nil {
			wire.Schema = map[string]any{"type": "string"}
		}
		if in.Description != "" {
			wire.Description = &in.Description
		}
		inputs = append(inputs, wire)
	}
	return inputs
}

// WorkflowVersionsGetInputs serves
// GET /agents/v2/workflows/{workflowId}/versions/{versionId}/inputs.
func (s *service) WorkflowVersionsGetInputs(w http.ResponseWriter, r *http.Request, agentID, versionID string) {
	s.serveVersion(w, r, agentID, versionID, func(_ *agent, v *version) any { return api.WorkflowInputs{Inputs: v.wireInputs()} })
}

// AgentWorkflowsGetInputs serves GET /agents/v2/agents/{agentId}/workflows/{workflowId}/inputs.
func (s *service) AgentWorkflowsGetInputs(w http.ResponseWriter, r *http.Request, agentID, versionID string) {
	s.WorkflowVersionsGetInputs(w, r, agentID, versionID)
}

// WorkflowVersionsGetOutputSchemas serves
// GET /agents/v2/workflows/{workflowId}/versions/{versionId}/output-schemas.
func (s *service) WorkflowVersionsGetOutputSchemas(w http.ResponseWriter, r *http.Request, agentID, versionID string) {
	s.serveVersion(w, r, agentID, versionID, func(_ *agent, v *version) any {
		schemas := api.OutputSchemas{}
		for node, schema := range v.Outputs {
			schemas[node] = schema
		}
		return schemas
	})
}

// AgentWorkflowsGetOutputSchemas serves
// GET /agents/v2/agents/{agentId}/workflows/{workflowId}/output-schemas.
func (s *service) AgentWorkflowsGetOutputSchemas(w http.ResponseWriter, r *http.Request, agentID, versionID string) {
	s.WorkflowVersionsGetOutputSchemas(w, r, agentID, versionID)
}

// WorkflowVersionsExecute serves
// POST /agents/v2/workflows/{workflowId}/versions/{versionId}/execute. Its parent may be any
// execution: the service is not known to check it.
func (s *service) WorkflowVersionsExecute(w http.ResponseWriter, r *http.Request, agentID, versionID string) {
	var body api.ExecuteVersionRequest
	if refused := decode(w, r, &body, false); refused != nil {
		refused.write(w, r)
		return
	}
	_, accepted := s.startExecution(func(now time.Time) (*execution, *reply) {
		if body.Inputs != nil && body.InputVariables != nil {
			return nil, new(invalid("inputVariables", "is the former name of inputs; send only one of them"))
		}
		_, v, refused := s.versionOf(caller(r), agentID, versionID)
		if refused != nil {
			return nil, refused
		}
		e, refused := s.createExecution(now, caller(r), agentID, api.ExecuteAgentRequest{
			Version: &v.number, Inputs: cmp.Or(body.Inputs, body.InputVariables), Metadata: body.Metadata, TempFiles: body.TempFiles,
			ExecutionOptions: body.ExecutionOptions,
			AgentProfileID:   body.AgentProfileID, AgentProfilePoolID: body.AgentProfilePoolID, //nolint:staticcheck // still served
			ProfileID: body.ProfileID, ProfileGroupID: body.ProfileGroupID,
		})
		if refused == nil && body.ParentExecutionID != nil {
			e.parent = *body.ParentExecutionID
			if parent := s.executions[strings.ToLower(e.parent)]; parent != nil {
				parent.hasBeenRerun = true
			}
		}
		return e, refused
	})
	if started, ok := accepted.body.(api.ExecuteAgentResponse); ok {
		started.Status = nil
		accepted.body = started
	}
	accepted.write(w, r)
}
