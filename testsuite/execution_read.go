package testsuite

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

// executionOf returns the execution with this id, if the key may use it.
func (s *service) executionOf(key *apiKey, id string) (*execution, *reply) {
	e := s.executions[strings.ToLower(id)]
	if e == nil || e.deleted {
		return nil, new(noExecution(id))
	}
	if !key.memberOf(e.agent.organization) {
		return nil, new(problem(http.StatusForbidden, "The execution belongs to an organization that the key is not a member of."))
	}
	return e, nil
}

// readable is executionOf for a read: it returns 404 until the delay of [WithReadDelay] is over.
func (s *service) readable(now time.Time, key *apiKey, id string) (*execution, *reply) {
	e, refused := s.executionOf(key, id)
	if e != nil && now.Before(e.createdAt.Add(s.readDelay)) {
		return nil, new(noExecution(id))
	}
	return e, refused
}

func noExecution(id string) reply {
	return problem(http.StatusNotFound, fmt.Sprintf("No execution has the id %q.", id))
}

// ExecutionGet serves GET /agents/v2/executions/{executionId}.
func (s *service) ExecutionGet(w http.ResponseWriter, r *http.Request, id string) {
	s.serve(w, r, func(now time.Time) reply {
		e, refused := s.readable(now, caller(r), id)
		if refused != nil {
			return *refused
		}
		e.countRead(now)
		return answer(http.StatusOK, e.wire(now))
	})
}

// wire returns the execution in the contract's form.
func (e *execution) wire(now time.Time) api.Execution {
	a := e.agent
	body := api.Execution{
		ID: e.id, Status: e.status, OrganizationID: a.organization.id, CreatedAt: e.createdAt,
		AgentID: a.id, AgentName: &a.name, WorkflowID: &a.id, WorkflowName: &a.name,
		WorkflowVersionID: &e.runs.id, WorkflowVersion: &e.runs.number, WorkflowVersionPublished: new(e.runs == a.published()),
		PlatformURL:     new(e.pageURL()),
		ExecutionResult: e.visibleResult(now), ExecutionOptions: e.options,
		Comments: &[]api.ExecutionComment{}, HumanLabels: new(append([]api.HumanLabel{}, e.labels...)),
		HasBeenRerun: new(e.hasBeenRerun),
		TriggerContext: &api.TriggerContext{
			Source: e.source, Runner: &api.TriggerRunner{UserID: e.key.userID, Email: e.key.email},
			Actor: &api.Actor{Kind: "person", ID: e.key.userID},
		},
	}
	if e.source == "ui" {
		body.TriggerContext.Actor.Client = new("web")
	}
	if len(e.failures) > 0 {
		body.ScriptFailures = &e.failures
	}
	if e.source == "api" {
		body.TriggerContext.APIKey = &api.TriggerAPIKey{ID: e.key.id, Name: e.key.name}
	}
	if e.inputs != nil && e.purgedAt.IsZero() {
		body.Inputs = &e.inputs
	}
	if e.metadata != nil {
		body.Metadata = e.wireMetadata()
	}
	if e.parent != "" {
		body.ParentExecutionID = &e.parent
	}
	if e.profileID != "" {
		name := e.service.profileName(e.profileID)
		body.AgentProfileID, body.AgentProfileName, body.ProfileID, body.ProfileName = &e.profileID, &name, &e.profileID, &name
	}
	if !e.startedAt.IsZero() {
		body.StartedAt = new(e.startedAt)
	}
	if !e.purgedAt.IsZero() {
		body.PurgedAt = new(e.purgedAt)
	}
	if e.status == api.ExecutionStatusRunning {
		body.LiveViewURL = new(e.viewURL(liveView))
		body.BrowserLiveViewURL = body.LiveViewURL
	}
	if terminal(e.status) {
		body.TerminalAt = new(e.terminalAt)
		from := e.startedAt
		if from.IsZero() {
			from = e.createdAt
		}
		body.Duration = new(float32(e.terminalAt.Sub(from).Seconds()))
	}
	if e.recorded() {
		body.RecordingURL = new(e.viewURL(recordingView))
		body.BrowserRecordingURL = body.RecordingURL
	}
	return body
}

// wireMetadata returns the metadata in the contract's form.
func (e *execution) wireMetadata() *map[string]any {
	metadata := map[string]any{}
	for name, value := range e.metadata {
		metadata[name] = value
	}
	return &metadata
}

// snapshot returns the execution in the form that tests read.
func (e *execution) snapshot() Execution {
	snapshot := Execution{
		ID: e.id, AgentID: e.agent.id, Agent: e.agent.name, OrganizationID: e.agent.organization.id,
		Status: string(e.status), Inputs: plainInputs(e.inputs), Metadata: maps.Clone(e.metadata),
		ParentExecutionID: e.parent, AgentProfileID: e.profileID, CreatedAt: e.createdAt, StartedAt: e.startedAt, TerminalAt: e.terminalAt,
		Messages: append([]Message(nil), e.messages...),
	}
	if e.result != nil {
		snapshot.Outcome, snapshot.Result = e.result.Outcome, e.service.deepResults.insert(e.result.Result)
	}
	for _, file := range e.files {
		if file.createdBy == "user" {
			snapshot.Files = append(snapshot.Files, file.toFile())
		} else {
			snapshot.Outputs = append(snapshot.Outputs, file.toFile())
		}
	}
	return snapshot
}
