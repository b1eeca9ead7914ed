package testsuite

import (
	"crypto/rand"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

// service is the state of the API and implements the generated server interface.
//
// One mutex guards everything. Executions do not change by themselves: lockAndAdvance brings all of
// them up to the present whenever it takes the lock.
type service struct {
	options
	spool   spool
	signing []byte
	closing chan struct{}
	pages   string               // scheme, host and port of the pages
	report  func(message string) // reports a problem that fails the test

	mu             sync.Mutex
	last           time.Time // the latest time read from the clock
	organizations  map[string]*organization
	keys           map[string]*apiKey // by secret
	agents         map[string]*agent  // by id
	agentOrder     []*agent
	groupProfiles  map[string]string // the chosen profile of each group
	profiles       []*profile        // in the order of their creation, as are groups
	groups         []*profileGroup
	staged         map[string]*stagedFile
	executions     map[string]*execution
	deepResults    deepResults
	executionOrder []*execution // oldest first
	timeline       timeline
	requests       []*Request
	futile         int // executes refused for lack of capacity, and lists without an execution
	faults         faults

	lateCommits backgroundTasks
	webhooks    *webhookSender // nil without a receiver
}

var _ api.ServerInterface = (*service)(nil)

func newService(o options) *service {
	s := &service{
		options:       o,
		signing:       make([]byte, 32),
		closing:       make(chan struct{}),
		pages:         pagesWithoutNetwork,
		organizations: map[string]*organization{},
		keys:          map[string]*apiKey{},
		agents:        map[string]*agent{},
		groupProfiles: map[string]string{},
		staged:        map[string]*stagedFile{},
		executions:    map[string]*execution{},
	}
	rand.Read(s.signing)
	if o.webhookURL != "" {
		s.webhooks = newWebhookSender(o)
	}
	return s
}

// lockAndAdvance takes the lock, carries out everything that is due by now and returns the time.
// The clock may be set back before its time counts: SetStartTime of the test environment does.
func (s *service) lockAndAdvance() time.Time {
	s.mu.Lock()
	now := s.clock().UTC().Truncate(time.Microsecond)
	if unused := len(s.executionOrder) == 0 && len(s.staged) == 0; now.Before(s.last) && !unused {
		now = s.last
	}
	s.last = now
	for {
		e, at, ok := s.timeline.next(now)
		if !ok {
			return now
		}
		e.wake(at)
	}
}

// serve answers a request with the reply of handle, which runs under the lock.
func (s *service) serve(w http.ResponseWriter, r *http.Request, handle func(now time.Time) reply) {
	s.locked(handle).write(w, r)
}

func (s *service) locked(handle func(now time.Time) reply) reply {
	now := s.lockAndAdvance()
	defer s.mu.Unlock()
	re := handle(now)
	re.results = s.deepResults
	return re
}

// operations maps each route to its operation. The routes after the blank line are older or newer
// names of the same operations. The vendor's SDKs call them.
var operations = map[string]string{
	"GET /agents/v2/agents":                                           "AgentList",
	"POST /agents/v2/agents/{agentId}/execute":                        "AgentExecutePost",
	"GET /agents/v2/agents/{agentId}/shared-files":                    "AgentSharedFilesGet",
	"GET /agents/v2/context":                                          "ContextGet",
	"GET /agents/v2/executions":                                       "ExecutionsList",
	"GET /agents/v2/executions/{executionId}":                         "ExecutionGet",
	"GET /agents/v2/executions/{executionId}/activities":              "ExecutionActivitiesGet",
	"POST /agents/v2/executions/{executionId}/cancel":                 "ExecutionCancel",
	"GET /agents/v2/executions/{executionId}/context-files":           "ExecutionContextFilesGet",
	"POST /agents/v2/executions/{executionId}/context-files":          "ExecutionContextFilesUpload",
	"GET /agents/v2/executions/{executionId}/files":                   "ExecutionFilesGet",
	"GET /agents/v2/executions/{executionId}/files/{fileId}/download": "ExecutionFileDownloadRedirect",
	"POST /agents/v2/executions/{executionId}/pause":                  "ExecutionPause",
	"GET /agents/v2/executions/{executionId}/recording":               "ExecutionRecordingRedirect",
	"POST /agents/v2/executions/{executionId}/rerun":                  "ExecutionRerun",
	"POST /agents/v2/executions/{executionId}/resume":                 "ExecutionResume",
	"POST /agents/v2/executions/{executionId}/status":                 "ExecutionStatusUpdate",
	"GET /agents/v2/executions/{executionId}/sync":                    "ExecutionSyncGet",
	"POST /agents/v2/executions/{executionId}/user-messages":          "ExecutionUserMessagesAdd",
	"POST /agents/v2/temp-files":                                      "TempFilesUpload",
	"POST /agents/v2/temp-files/{organizationId}":                     "TempFilesStage",
	"POST /agents/v2/workflows/{workflowId}/execute":                  "WorkflowExecutePost",
	"GET /users/v2/whoami":                                            "WhoamiGet",

	"GET /agents/v2/agents/{agentId}/workflows":                                 "AgentWorkflowsList",
	"GET /agents/v2/agents/{agentId}/workflows/{workflowId}/inputs":             "AgentWorkflowsGetInputs",
	"GET /agents/v2/agents/{agentId}/workflows/{workflowId}/output-schemas":     "AgentWorkflowsGetOutputSchemas",
	"GET /agents/v2/workflows/{workflowId}/versions":                            "WorkflowVersionsList",
	"GET /agents/v2/workflows/{workflowId}/versions/{versionId}":                "WorkflowVersionsGet",
	"GET /agents/v2/workflows/{workflowId}/versions/{versionId}/inputs":         "WorkflowVersionsGetInputs",
	"GET /agents/v2/workflows/{workflowId}/versions/{versionId}/output-schemas": "WorkflowVersionsGetOutputSchemas",
	"POST /agents/v2/workflows/{workflowId}/versions/{versionId}/execute":       "WorkflowVersionsExecute",
	"GET /agents/v2/profiles":                                                   "ProfilesList",
	"GET /agents/v2/profiles/{profileId}":                                       "ProfileGet",
	"GET /agents/v2/profiles/{profileId}/inbox-emails":                          "ProfileGetInboxEmails",
	"GET /agents/v2/profiles/{profileId}/inbox-emails/{emailId}":                "ProfileGetInboxEmail",
	"GET /agents/v2/profile-groups":                                             "ProfileGroupsList",
	"GET /agents/v2/profile-groups/{groupId}":                                   "ProfileGroupGet",
	"GET /agents/v2/profile-groups/{groupId}/members":                           "ProfileGroupMembersList",

	"GET /agents/v2/agents/{agentId}/workflows/{workflowId}":           "WorkflowVersionsGet",
	"POST /agents/v2/agents/{agentId}/workflows/{workflowId}/execute":  "WorkflowVersionsExecute",
	"GET /agents/v2/agent-profiles":                                    "ProfilesList",
	"GET /agents/v2/agent-profiles/{profileId}":                        "ProfileGet",
	"GET /agents/v2/agent-profiles/{profileId}/inbox-emails":           "ProfileGetInboxEmails",
	"GET /agents/v2/agent-profiles/{profileId}/inbox-emails/{emailId}": "ProfileGetInboxEmail",
	"GET /agents/v2/agent-profile-pools":                               "ProfileGroupsList",
	"GET /agents/v2/agent-profile-pools/{groupId}":                     "ProfileGroupGet",
	"GET /agents/v2/agent-profile-pools/{groupId}/members":             "ProfileGroupMembersList",

	"GET /agents/v2/workflows":                                                "AgentList",
	"GET /agents/v2/executions/{executionId}/agent-files":                     "ExecutionFilesGet",
	"GET /agents/v2/executions/{executionId}/agent-files/{fileId}/download":   "ExecutionFileDownloadRedirect",
	"GET /agents/v2/executions/{executionId}/context-files/{fileId}/download": "ExecutionFileDownloadRedirect",
	"GET /agents/v2/executions/{executionId}/debug-files/{fileId}/download":   "ExecutionFileDownloadRedirect",
}

// operationDownload is the ledger's name for a request of a signed link, which is not an operation
// of the contract.
const operationDownload = "Download"

// handler routes requests. It records every request and applies its fault. All routes but signed
// links require a key.
func (s *service) handler() http.Handler {
	mux := http.NewServeMux()
	api.HandlerWithOptions(s, api.StdHTTPServerOptions{BaseRouter: mux, ErrorHandlerFunc: refuseParameter})
	wrapper := api.ServerInterfaceWrapper{Handler: s, ErrorHandlerFunc: refuseParameter}
	mux.HandleFunc("GET /agents/v2/agents/{agentId}/workflows/{workflowId}", func(w http.ResponseWriter, r *http.Request) {
		s.WorkflowVersionsGet(w, r, r.PathValue("agentId"), r.PathValue("workflowId"))
	})
	mux.HandleFunc("POST /agents/v2/agents/{agentId}/workflows/{workflowId}/execute", func(w http.ResponseWriter, r *http.Request) {
		s.WorkflowVersionsExecute(w, r, r.PathValue("agentId"), r.PathValue("workflowId"))
	})
	mux.HandleFunc("GET /agents/v2/agent-profiles", wrapper.ProfilesList)
	mux.HandleFunc("GET /agents/v2/agent-profiles/{profileId}", wrapper.ProfileGet)
	mux.HandleFunc("GET /agents/v2/agent-profiles/{profileId}/inbox-emails", wrapper.ProfileGetInboxEmails)
	mux.HandleFunc("GET /agents/v2/agent-profiles/{profileId}/inbox-emails/{emailId}", wrapper.ProfileGetInboxEmail)
	mux.HandleFunc("GET /agents/v2/agent-profile-pools", wrapper.ProfileGroupsList)
	mux.HandleFunc("GET /agents/v2/agent-profile-pools/{groupId}", wrapper.ProfileGroupGet)
	mux.HandleFunc("GET /agents/v2/agent-profile-pools/{groupId}/members", wrapper.ProfileGroupMembersList)
	mux.HandleFunc("GET /agents/v2/workflows", wrapper.AgentList)
	mux.HandleFunc("GET /agents/v2/executions/{executionId}/agent-files", wrapper.ExecutionFilesGet)
	for _, name := range []string{"agent-files", "context-files", "debug-files"} {
		mux.HandleFunc("GET /agents/v2/executions/{executionId}/"+name+"/{fileId}/download", wrapper.ExecutionFileDownloadRedirect)
	}
	guarded := s.authenticate(strictQuery(mux, acceptBareOffsets(mux)))

	outer := http.NewServeMux()
	outer.HandleFunc("GET "+signedPath+"{executionId}/{fileId}/{name}", s.download)
	outer.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern == "" {
			mux.ServeHTTP(w, r) // 404 or 405, with or without a key
			return
		}
		guarded.ServeHTTP(w, r)
	})
	return s.recordRequests(outer, func(r *http.Request) string {
		if _, pattern := outer.Handler(r); pattern != "/" {
			return operationDownload
		}
		_, pattern := mux.Handler(r)
		return operations[pattern]
	})
}

// refuseParameter answers a path or query parameter that cannot be parsed.
func refuseParameter(w http.ResponseWriter, r *http.Request, err error) {
	refused := problem(http.StatusBadRequest, err.Error())
	if format, ok := errors.AsType[*api.InvalidParamFormatError](err); ok {
		refused = invalid(format.ParamName, "%v", format.Err)
	}
	badRequest(r.Pattern, refused).write(w, r)
}

// badRequest returns the 400 of a route's operation. Some operations have a fixed text in the
// contract.
func badRequest(pattern string, detailed reply) reply {
	switch operations[pattern] {
	case "AgentList":
		return plain(http.StatusBadRequest, "Invalid request parameters.")
	case "TempFilesUpload", "TempFilesStage", "ExecutionContextFilesUpload":
		return plain(http.StatusBadRequest, invalidUpload)
	}
	return detailed
}
