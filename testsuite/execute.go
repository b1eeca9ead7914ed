package testsuite

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

var inputName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// AgentExecutePost serves POST /agents/v2/agents/{agentId}/execute.
func (s *service) AgentExecutePost(w http.ResponseWriter, r *http.Request, agentID string) {
	var body api.ExecuteAgentRequest
	if refused := decode(w, r, &body, false); refused != nil {
		refused.write(w, r)
		return
	}
	s.launch(w, r, func(now time.Time) (*execution, *reply) { return s.execute(now, caller(r), agentID, body) })
}

// WorkflowExecutePost serves POST /agents/v2/workflows/{workflowId}/execute.
func (s *service) WorkflowExecutePost(w http.ResponseWriter, r *http.Request, workflowID string) {
	s.AgentExecutePost(w, r, workflowID)
}

// ExecutionRerun serves POST /agents/v2/executions/{executionId}/rerun.
func (s *service) ExecutionRerun(w http.ResponseWriter, r *http.Request, id string) {
	var body api.RerunExecutionRequest
	if refused := decode(w, r, &body, true); refused != nil {
		refused.write(w, r)
		return
	}
	s.launch(w, r, func(now time.Time) (*execution, *reply) { return s.rerun(now, caller(r), id, body) })
}

// launch answers a request that starts an execution.
func (s *service) launch(w http.ResponseWriter, r *http.Request, create func(now time.Time) (*execution, *reply)) {
	_, accepted := s.begin(create)
	accepted.write(w, r)
}

// patience is how long an answer waits for the agent to say what it will do.
const patience = time.Second

// begin creates an execution and asks its agent for the steps. The agent is asked without the lock, as it may
// have much to read; until it is done the execution just reads starting or queued. By the wall clock the answer
// comes without it if it takes long, as a client would give up; by any other no time passes, however long it takes.
func (s *service) begin(create func(now time.Time) (*execution, *reply)) (*execution, reply) {
	var e *execution
	var run Run
	accepted := s.locked(func(now time.Time) reply {
		var refused *reply
		if e, refused = create(now); refused != nil {
			return *refused
		}
		s.admit(e, now)
		run = e.run()
		return answer(http.StatusAccepted, api.ExecuteAgentResponse{ExecutionID: e.id, Status: new(string(e.status))})
	})
	if accepted.status != http.StatusAccepted {
		return nil, accepted
	}
	ready := make(chan struct{})
	go func() {
		defer close(ready)
		steps := steps(func() []Step { return e.script(run) })
		s.locked(func(now time.Time) reply {
			if !terminal(e.status) {
				e.attach(now, steps)
			}
			return reply{}
		})
	}()
	var enough <-chan time.Time
	if !s.virtual {
		enough = time.After(patience)
	}
	select {
	case <-ready:
	case <-enough:
	}
	return e, accepted
}

// steps asks a script what it does. One that panics fails its execution, not the server.
func steps(script func() []Step) (does []Step) {
	defer func() {
		if p := recover(); p != nil {
			does = []Step{{func(e *execution, at time.Time) { e.scriptError(at, fmt.Sprintf("it panicked: %v", p)) }}}
		}
	}()
	return script()
}

// execute checks a request as the service would and makes an execution of it, which nobody sees before
// admit.
func (s *service) execute(now time.Time, key *apiKey, agentID string, body api.ExecuteAgentRequest) (*execution, *reply) {
	a, refused := s.agentOf(key, agentID)
	if refused != nil {
		return nil, refused
	}
	if faults := checkExecute(body); len(faults) > 0 {
		return nil, new(problem(http.StatusBadRequest, faults[0].Parameter+": "+faults[0].Detail, faults...))
	}
	staged, refused := s.take(now, a.organization, body.TempFiles)
	if refused != nil {
		return nil, refused
	}
	if refused := s.capacity(a.organization, body.OnCapacityLimit); refused != nil {
		return nil, refused
	}

	e, refused := s.newExecution(now, key, a)
	if refused != nil {
		return nil, refused
	}
	if body.Inputs != nil {
		e.inputs = *body.Inputs
	} else if body.DynamicData != nil {
		e.inputs = *body.DynamicData
	}
	if body.Metadata != nil {
		e.metadata = *body.Metadata
	}
	e.options = body.ExecutionOptions
	e.profileID, e.groupID = first(body.AgentProfileID, body.ProfileID), first(body.AgentProfilePoolID, body.ProfileGroupID)
	if e.groupID != "" {
		if s.groupProfiles[e.groupID] == "" {
			s.groupProfiles[e.groupID] = newUUID()
		}
		e.profileID = s.groupProfiles[e.groupID]
	}
	if body.Version != nil {
		e.version = *body.Version
	}
	e.head = body.Head != nil && *body.Head
	for _, file := range staged {
		delete(s.staged, file.id)
		e.addFile(now, "uploads", "user", file.name, file.contentType, file.blob)
	}
	return e, nil
}

// checkExecute names what the contract does not allow.
func checkExecute(body api.ExecuteAgentRequest) []api.FieldError {
	var faults []api.FieldError
	fault := func(parameter, format string, args ...any) {
		faults = append(faults, api.FieldError{Parameter: parameter, Detail: fmt.Sprintf(format, args...)})
	}
	profiles := []struct {
		name  string
		value *string
	}{
		{"agentProfileId", body.AgentProfileID},
		{"agentProfilePoolId", body.AgentProfilePoolID},
		{"profileId", body.ProfileID},
		{"profileGroupId", body.ProfileGroupID},
	}
	var given []string
	for _, profile := range profiles {
		if profile.value == nil {
			continue
		}
		given = append(given, profile.name)
		if !isUUID(*profile.value) {
			fault(profile.name, "%q is not a UUID, so nothing has this id", *profile.value)
		}
	}
	if len(given) > 1 {
		fault(given[1], "excludes %s; send one of the profile and pool (group) fields", given[0])
	}
	if body.Version != nil && body.Head != nil {
		fault("head", "excludes version")
	}
	if body.Version != nil && *body.Version < 1 {
		fault("version", "versions are counted from 1")
	}
	if body.Inputs != nil && body.DynamicData != nil {
		fault("dynamicData", "is the former name of inputs and excludes it")
	}
	faults = append(faults, checkInputs("inputs", body.Inputs)...)
	faults = append(faults, checkInputs("dynamicData", body.DynamicData)...)
	if options := body.ExecutionOptions; options != nil {
		if options.SoftTimeoutMins != nil && *options.SoftTimeoutMins < 1 {
			fault("executionOptions.softTimeoutMins", "must be at least 1")
		}
	}
	if body.OnCapacityLimit != nil {
		if !body.OnCapacityLimit.Valid() {
			fault("onCapacityLimit", "%q is not one of reject and queue", *body.OnCapacityLimit)
		}
		if *body.OnCapacityLimit == api.Queue && body.TempFiles != nil && len(*body.TempFiles) > 0 {
			fault("onCapacityLimit", "queue cannot be combined with tempFiles")
		}
	}
	return faults
}

func checkInputs(parameter string, inputs *map[string]any) []api.FieldError {
	var faults []api.FieldError
	if inputs == nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(*inputs)) {
		if !inputName.MatchString(name) {
			faults = append(faults, api.FieldError{
				Parameter: parameter,
				Detail:    fmt.Sprintf("%q is no input name: a letter or underscore, then letters, digits and underscores", name),
			})
		}
	}
	return faults
}

// rerun makes a new execution from an earlier one: everything is copied but the staged files.
func (s *service) rerun(now time.Time, key *apiKey, id string, body api.RerunExecutionRequest) (*execution, *reply) {
	original, refused := s.executionOf(key, id)
	if refused != nil {
		return nil, refused
	}
	if body.AgentProfileID != nil && body.ProfileID != nil {
		return nil, new(invalid("profileId", "excludes agentProfileId"))
	}
	profileID := first(body.AgentProfileID, body.ProfileID)
	if profileID != "" && !isUUID(profileID) {
		return nil, new(invalid("profileId", "%q is not a UUID, so no profile has this id", profileID))
	}
	if faults := checkInputs("inputs", body.Inputs); len(faults) > 0 {
		return nil, new(problem(http.StatusBadRequest, faults[0].Parameter+": "+faults[0].Detail, faults...))
	}
	if refused := s.capacity(original.agent.organization, nil); refused != nil {
		return nil, refused
	}

	e, refused := s.newExecution(now, key, original.agent)
	if refused != nil {
		return nil, refused
	}
	e.inputs, e.metadata, e.options = original.inputs, original.metadata, original.options
	e.version, e.head, e.profileID, e.groupID = original.version, original.head, original.profileID, original.groupID
	if body.Inputs != nil {
		e.inputs = *body.Inputs
	}
	if profileID != "" {
		e.profileID, e.groupID = profileID, ""
	}
	e.parent, original.rerun = original.id, true
	return e, nil
}

// newExecution takes the agent's next script, the last thing that can be refused.
func (s *service) newExecution(now time.Time, key *apiKey, a *agent) (*execution, *reply) {
	script, err := a.next()
	if err != nil {
		s.report(err.Error())
		return nil, new(problem(http.StatusInternalServerError, err.Error()))
	}
	return &execution{
		service: s, id: newUUID(), agent: a, script: script, key: key, source: "api", createdAt: now, changed: make(chan struct{}),
	}, nil
}

// run is what the agent gets to see.
func (e *execution) run() Run {
	run := Run{
		ExecutionID: e.id, AgentID: e.agent.id, Inputs: plainInputs(e.inputs), Metadata: map[string]string{},
		ParentExecutionID: e.parent, ProfileID: e.profileID, ProfileGroupID: e.groupID, Version: e.version, Head: e.head,
		StorageKey: e.storageKey(),
	}
	maps.Copy(run.Metadata, e.metadata)
	if e.options != nil && e.options.SoftTimeoutMins != nil {
		run.SoftTimeoutMins = int(*e.options.SoftTimeoutMins)
	}
	for _, file := range e.files {
		run.Files = append(run.Files, file.given())
	}
	return run
}

func (e *execution) storageKey() string {
	if e.options == nil {
		return ""
	}
	return first(e.options.VariantKey, e.options.SharedStorageKey)
}

// plainInputs is a copy with numbers as float64, as Go programs expect them.
func plainInputs(inputs map[string]any) map[string]any {
	copied := map[string]any{}
	if len(inputs) > 0 {
		raw, _ := json.Marshal(inputs)   // came as JSON, so both
		_ = json.Unmarshal(raw, &copied) // always succeed
	}
	return copied
}

// first is the first that is given, or empty.
func first(values ...*string) string {
	for _, value := range values {
		if value != nil {
			return *value
		}
	}
	return ""
}
