package testsuite

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"time"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

// AgentExecutePost serves POST /agents/v2/agents/{agentId}/execute.
func (s *service) AgentExecutePost(w http.ResponseWriter, r *http.Request, agentID string) {
	var body api.ExecuteAgentRequest
	if refused := decode(w, r, &body, false); refused != nil {
		refused.write(w, r)
		return
	}
	s.serveStart(w, r, func(now time.Time) (*execution, *reply) { return s.createExecution(now, caller(r), agentID, body) })
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
	s.serveStart(w, r, func(now time.Time) (*execution, *reply) { return s.createRerun(now, caller(r), id, body) })
}

// serveStart answers a request that starts an execution.
func (s *service) serveStart(w http.ResponseWriter, r *http.Request, create func(now time.Time) (*execution, *reply)) {
	_, accepted := s.startExecution(create)
	accepted.write(w, r)
}

// scriptTimeout is how long a response waits for the agent's script to return its steps.
const scriptTimeout = time.Second

// startExecution creates an execution and runs its agent's script. The script runs without the
// lock, because it may read large files; until it returns, the execution stays starting or queued.
// With the wall clock, the response waits for at most scriptTimeout, so that the client does not
// time out. With any other clock it waits for the script, because no time passes meanwhile.
func (s *service) startExecution(create func(now time.Time) (*execution, *reply)) (*execution, reply) {
	var e *execution
	var run Run
	accepted := s.locked(func(now time.Time) reply {
		var refused *reply
		if e, refused = create(now); refused != nil {
			return *refused
		}
		s.admit(e, now)
		run = e.runInput()
		return answer(http.StatusAccepted, api.ExecuteAgentResponse{ExecutionID: e.id, Status: new(string(e.status))})
	})
	if accepted.status != http.StatusAccepted {
		return nil, accepted
	}
	ready := make(chan struct{})
	go func() {
		defer close(ready)
		steps := runScript(func() []Step { return e.script(run) })
		s.locked(func(now time.Time) reply {
			if !terminal(e.status) {
				e.setSteps(now, steps)
			}
			return reply{}
		})
	}()
	var timeout <-chan time.Time
	if !s.virtual {
		timeout = time.After(scriptTimeout)
	}
	select {
	case <-ready:
	case <-timeout:
	}
	return e, accepted
}

// runScript returns the steps of a script. A script that panics fails its execution, not the
// server.
func runScript(script func() []Step) (steps []Step) {
	defer func() {
		if p := recover(); p != nil {
			steps = []Step{{func(e *execution, at time.Time) { e.scriptError(at, fmt.Sprintf("it panicked: %v", p)) }}}
		}
	}()
	return script()
}

// createExecution validates a request as the service does and returns its execution. Nobody sees
// the execution before admit.
func (s *service) createExecution(now time.Time, key *apiKey, agentID string, body api.ExecuteAgentRequest) (*execution, *reply) {
	a, refused := s.agentOf(key, agentID)
	if refused != nil {
		return nil, refused
	}
	if faults := validateExecute(body); len(faults) > 0 {
		return nil, new(problem(http.StatusBadRequest, faults[0].Parameter+": "+faults[0].Detail, faults...))
	}
	runs, refused := a.toRun(body.Version, valueOrZero(body.Head))
	if refused != nil {
		return nil, refused
	}
	staged, refused := s.findStaged(now, a.organization, body.TempFiles)
	if refused != nil {
		return nil, refused
	}
	if refused := s.refuseAtCapacity(a.organization, body.OnCapacityLimit); refused != nil {
		return nil, refused
	}

	e := s.newExecution(now, key, a)
	e.inputs = valueOrZero(cmp.Or(body.Inputs, body.DynamicData))
	e.metadata, e.options = valueOrZero(body.Metadata), body.ExecutionOptions
	e.profileID, e.groupID = valueOrZero(cmp.Or(body.AgentProfileID, body.ProfileID)), valueOrZero(cmp.Or(body.AgentProfilePoolID, body.ProfileGroupID))
	if e.groupID != "" {
		if s.groupProfiles[e.groupID] == "" {
			s.groupProfiles[e.groupID] = newUUID()
		}
		e.profileID = s.groupProfiles[e.groupID]
	}
	e.version, e.head, e.runs = valueOrZero(body.Version), valueOrZero(body.Head), runs
	for _, file := range staged {
		delete(s.staged, file.id)
		e.addFile(now, "uploads", "user", file.name, file.contentType, file.blob)
	}
	return e, nil
}

// createRerun returns a new execution with everything that an earlier one was given except its
// staged files.
func (s *service) createRerun(now time.Time, key *apiKey, id string, body api.RerunExecutionRequest) (*execution, *reply) {
	original, refused := s.executionOf(key, id)
	if refused != nil {
		return nil, refused
	}
	if body.AgentProfileID != nil && body.ProfileID != nil {
		return nil, new(invalid("profileId", "excludes agentProfileId"))
	}
	profileID := valueOrZero(cmp.Or(body.AgentProfileID, body.ProfileID))
	if profileID != "" && !isUUID(profileID) {
		return nil, new(invalid("profileId", "%q is not a UUID; pass the id of a profile", profileID))
	}
	if faults := validateInputNames("inputs", body.Inputs); len(faults) > 0 {
		return nil, new(problem(http.StatusBadRequest, faults[0].Parameter+": "+faults[0].Detail, faults...))
	}
	if refused := s.refuseAtCapacity(original.agent.organization, nil); refused != nil {
		return nil, refused
	}

	e := s.newExecution(now, key, original.agent)
	e.inputs, e.metadata, e.options = original.inputs, original.metadata, original.options
	e.version, e.head, e.runs = original.version, original.head, original.runs
	e.profileID, e.groupID = original.profileID, original.groupID
	if body.Inputs != nil {
		e.inputs = *body.Inputs
	}
	if profileID != "" {
		e.profileID, e.groupID = profileID, ""
	}
	e.parent, original.hasBeenRerun = original.id, true
	return e, nil
}

// newExecution takes the agent's next script. It comes last, so that a refused request uses no
// script.
func (s *service) newExecution(now time.Time, key *apiKey, a *agent) *execution {
	return &execution{
		service: s, id: newUUID(), agent: a, script: a.next(s.report), key: key, source: "api", createdAt: now, changed: make(chan struct{}),
	}
}

// runInput returns what the agent's script receives.
func (e *execution) runInput() Run {
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
		run.Files = append(run.Files, file.toFile())
	}
	return run
}

func (e *execution) storageKey() string {
	if e.options == nil {
		return ""
	}
	return valueOrZero(cmp.Or(e.options.VariantKey, e.options.SharedStorageKey))
}

// plainInputs returns a copy with numbers as float64, the type that encoding/json gives them.
func plainInputs(inputs map[string]any) map[string]any {
	copied := map[string]any{}
	if len(inputs) > 0 {
		raw, _ := json.Marshal(inputs)   // decoded from JSON, so both
		_ = json.Unmarshal(raw, &copied) // always succeed
	}
	return copied
}
