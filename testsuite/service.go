package testsuite

import (
	"crypto/rand"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

// service is the state behind the API and implements the generated server interface.
//
// One mutex guards everything. Nothing happens by itself: whoever takes the lock through enter first brings
// every execution up to the present.
type service struct {
	options
	spool   spool
	signing []byte
	closing chan struct{}
	report  func(message string) // what a test should fail for

	mu            sync.Mutex
	last          time.Time // the latest time seen; time never goes back
	organizations map[string]*organization
	keys          map[string]*apiKey // by the key itself
	agents        map[string]*agent  // by id
	agentOrder    []*agent
	groupProfiles map[string]string // the profile that stands for a profile group
	staged        map[string]*stagedFile
	executions    map[string]*execution
	order         []*execution // by creation
	timeline      timeline
	requests      []*Request
	faults        faults

	late     lateWork
	webhooks *webhookSender // nil without a receiver
}

var _ api.ServerInterface = (*service)(nil)

func newService(o options) *service {
	s := &service{
		options:       o,
		signing:       make([]byte, 32),
		closing:       make(chan struct{}),
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

// enter takes the lock and lets everything happen that is due by now.
func (s *service) enter() time.Time {
	s.mu.Lock()
	now := s.clock().UTC().Truncate(time.Microsecond)
	if now.Before(s.last) {
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

// serve answers a request with what handle returns, which runs under the lock.
func (s *service) serve(w http.ResponseWriter, r *http.Request, handle func(now time.Time) reply) {
	s.locked(handle).write(w, r)
}

func (s *service) locked(handle func(now time.Time) reply) reply {
	now := s.enter()
	defer s.mu.Unlock()
	return handle(now)
}

// operations names the operation behind each route. The routes after the blank line are older or newer
// names of the same operations, which the vendor's SDKs still call.
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

	"GET /agents/v2/workflows":                                                "AgentList",
	"GET /agents/v2/executions/{executionId}/agent-files":                     "ExecutionFilesGet",
	"GET /agents/v2/executions/{executionId}/agent-files/{fileId}/download":   "ExecutionFileDownloadRedirect",
	"GET /agents/v2/executions/{executionId}/context-files/{fileId}/download": "ExecutionFileDownloadRedirect",
	"GET /agents/v2/executions/{executionId}/debug-files/{fileId}/download":   "ExecutionFileDownloadRedirect",
}

// operationDownload is the name in the ledger of a request for a signed link, which no operation of the
// contract serves.
const operationDownload = "Download"

// handler routes requests. Every one is recorded, and there meets its fault if it has one; those to the API need
// a key.
func (s *service) handler() http.Handler {
	mux := http.NewServeMux()
	api.HandlerWithOptions(s, api.StdHTTPServerOptions{BaseRouter: mux, ErrorHandlerFunc: refuseParameter})
	wrapper := api.ServerInterfaceWrapper{Handler: s, ErrorHandlerFunc: refuseParameter}
	mux.HandleFunc("GET /agents/v2/workflows", wrapper.AgentList)
	mux.HandleFunc("GET /agents/v2/executions/{executionId}/agent-files", wrapper.ExecutionFilesGet)
	for _, name := range []string{"agent-files", "context-files", "debug-files"} {
		mux.HandleFunc("GET /agents/v2/executions/{executionId}/"+name+"/{fileId}/download", wrapper.ExecutionFileDownloadRedirect)
	}
	guarded := s.authenticate(strictQuery(mux, acceptZones(mux)))

	outer := http.NewServeMux()
	outer.HandleFunc("GET "+signedPath+"{executionId}/{fileId}/{name}", s.download)
	outer.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern == "" {
			mux.ServeHTTP(w, r) // 404 or 405, key or no key
			return
		}
		guarded.ServeHTTP(w, r)
	})
	return s.record(outer, func(r *http.Request) string {
		if _, pattern := outer.Handler(r); pattern != "/" {
			return operationDownload
		}
		_, pattern := mux.Handler(r)
		return operations[pattern]
	})
}

// refuseParameter answers a path or query parameter that does not parse.
func refuseParameter(w http.ResponseWriter, r *http.Request, err error) {
	refused := problem(http.StatusBadRequest, err.Error())
	if format, ok := errors.AsType[*api.InvalidParamFormatError](err); ok {
		refused = invalid(format.ParamName, "%v", format.Err)
	}
	badRequest(r.Pattern, refused).write(w, r)
}

// badRequest is the 400 of the operation behind a route, whose text is fixed where the contract says so.
func badRequest(pattern string, detailed reply) reply {
	switch operations[pattern] {
	case "AgentList":
		return plain(http.StatusBadRequest, "Invalid request parameters.")
	case "TempFilesUpload", "TempFilesStage", "ExecutionContextFilesUpload":
		return plain(http.StatusBadRequest, invalidUpload)
	}
	return detailed
}
