package testsuite

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// T is the part of *testing.T and *testing.B that [NewAPI] uses.
type T interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
	Cleanup(func())
}

// API is a fake of the Asteroid API that serves on a local port. Its methods are safe for
// concurrent use.
type API struct {
	service      *service
	handler      http.Handler
	server       *http.Server // nil without a network
	baseURL      string
	organization *organization
	key          *apiKey

	once     sync.Once // guards closing
	closeErr error

	mu       sync.Mutex // guards the fields below
	closed   bool
	problems []error
}

// NewAPI starts a fake for the duration of a test. The test fails when a script runs out, when a
// signed link is fetched with the API key, and when a workflow test environment skips time without
// [WithClock]. If the requests tell what the test may lack, NewAPI logs that at its end.
func NewAPI(t T, opts ...Option) *API {
	t.Helper()
	a, err := start(opts, func(message string) { t.Errorf("fake Asteroid API: %s", message) })
	if err != nil {
		t.Fatalf("fake Asteroid API: %v", err)
	}
	t.Cleanup(func() {
		a.stop()
		for _, hint := range a.service.hints() {
			t.Logf("fake Asteroid API: %s", hint) // shown if the test fails or panics
		}
	})
	return a
}

// StartAPI starts a fake for a program, which must call [API.Close]. Problems that would fail a
// test are logged, see [WithLog], and returned by Close.
func StartAPI(opts ...Option) (*API, error) { return start(opts, nil) }

// Close stops the server and removes its stored files. It returns the problems that were logged.
func (a *API) Close() error {
	a.stop()
	a.mu.Lock()
	defer a.mu.Unlock()
	return errors.Join(a.closeErr, errors.Join(a.problems...))
}

func start(opts []Option, fail func(message string)) (*API, error) {
	o := defaultOptions()
	for _, opt := range opts {
		opt(&o)
	}
	if err := errors.Join(o.validateFaults(), o.validateWebhooks()); err != nil {
		return nil, err
	}
	a := &API{service: newService(o), baseURL: baseURLWithoutNetwork}
	a.handler = a.service.withPages(a.service.handler())
	var listener net.Listener
	if !o.noNetwork {
		var err error
		if listener, err = net.Listen("tcp", o.listenAddr); err != nil {
			return nil, fmt.Errorf("listening on %s: %w", o.listenAddr, err)
		}
		a.baseURL = "http://" + dialAddress(listener.Addr())
		a.service.pages = a.baseURL
		a.server = &http.Server{Handler: a.handler, ReadHeaderTimeout: 30 * time.Second}
	}
	a.service.report = func(message string) { a.report(message, fail) }
	a.organization = a.service.addOrganization(o.organization)
	a.key = a.service.addKey(o.apiKey, a.organization)
	a.service.lockAndAdvance() // sets the creation time of the agents below
	a.service.mu.Unlock()
	a.addBuiltins(a.organization.id)
	a.service.webhooks.start(a.service)
	if listener != nil {
		go func() { _ = a.server.Serve(listener) }() // runs until stop
	}
	return a, nil
}

// dialAddress returns the address under which this machine reaches the listener.
func dialAddress(addr net.Addr) string {
	tcp := addr.(*net.TCPAddr)
	host := tcp.IP.String()
	if tcp.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, strconv.Itoa(tcp.Port))
}

// report passes a problem to the test or the log. It drops a problem that comes after the end of
// the test, because Errorf would panic.
func (a *API) report(message string, fail func(message string)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.closed:
	case fail != nil:
		fail(message)
	default:
		a.problems = append(a.problems, errors.New(message))
		a.service.log(message)
	}
}

func (a *API) stop() {
	a.once.Do(func() {
		a.mu.Lock()
		a.closed = true
		a.mu.Unlock()
		close(a.service.closing) // makes long polls answer
		if a.server != nil {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			if err := a.server.Shutdown(ctx); err != nil { // an upload or download is still under way
				a.closeErr = a.server.Close()
			}
		}
		a.service.lateCommits.stop()
		a.service.webhooks.stop()
		a.closeErr = errors.Join(a.closeErr, a.service.spool.close())
	})
}

// BaseURL returns the scheme, host and port, without a slash at the end.
func (a *API) BaseURL() string { return a.baseURL }

// OrganizationID returns the id of the first organization.
func (a *API) OrganizationID() string { return a.organization.id }

// APIKey returns the first organization's key.
func (a *API) APIKey() string { return a.key.secret }

// AddOrganization adds an organization and returns its id. It has the built-in agents, and no keys.
func (a *API) AddOrganization(name string) string {
	a.service.mu.Lock()
	id := a.service.addOrganization(name).id
	a.service.mu.Unlock()
	a.addBuiltins(id)
	return id
}

func (a *API) addBuiltins(organizationID string) {
	for _, builtin := range builtins {
		a.ServeAgentIn(organizationID, builtin.name, builtin.agent)
	}
}

// AddAPIKey returns a new key of a member of the given organizations. For a key with several
// organizations, whoami names none of them.
func (a *API) AddAPIKey(organizationIDs ...string) string {
	a.service.mu.Lock()
	defer a.service.mu.Unlock()
	var organizations []*organization
	for _, id := range organizationIDs {
		if o := a.service.organizations[id]; o != nil {
			organizations = append(organizations, o)
		} else {
			a.service.report(fmt.Sprintf("AddAPIKey: no organization has the id %q", id))
		}
	}
	return a.service.addKey("test-"+newUUID(), organizations...).secret
}

// AddAgent adds an agent to the first organization and returns its id. Each execution takes the
// next of the given scripts. One execution more than there are scripts fails, with a reason that
// says so, and fails the test. If the name is taken, later calls of [API.AgentID] return this
// agent's id.
func (a *API) AddAgent(name string, scripts ...Agent) string {
	return a.AddAgentIn(a.OrganizationID(), name, scripts...)
}

// AddAgentIn is [API.AddAgent] for the organization with this id. An unknown id fails the test, and
// the id that it returns is empty.
func (a *API) AddAgentIn(organizationID, name string, scripts ...Agent) string {
	return a.addAgent(organizationID, name, func(added *agent) { added.scripted = scripts })
}

// ServeAgent adds an agent to the first organization and returns its id. The agent takes any number
// of executions, each with the same script.
func (a *API) ServeAgent(name string, script Agent) string {
	return a.ServeAgentIn(a.OrganizationID(), name, script)
}

// ServeAgentIn is [API.ServeAgent] for the organization with this id. An unknown id fails the test,
// and the id that it returns is empty.
func (a *API) ServeAgentIn(organizationID, name string, script Agent) string {
	return a.addAgent(organizationID, name, func(added *agent) { added.served = script })
}

func (a *API) addAgent(organizationID, name string, set func(*agent)) string {
	a.service.mu.Lock()
	defer a.service.mu.Unlock()
	o := a.service.organizations[organizationID]
	if o == nil {
		a.service.report(fmt.Sprintf("agent %q: no organization has the id %q", name, organizationID))
		return ""
	}
	added := a.service.addAgent(o, name)
	set(added)
	return added.id
}

// AgentID returns the id of the first organization's agent, and workflow, with this name; empty if
// there is none.
func (a *API) AgentID(name string) string { return a.Agents()[name] }

// Agents returns the ids of the first organization's agents by name.
func (a *API) Agents() map[string]string { return a.AgentsIn(a.OrganizationID()) }

// AgentsIn is [API.Agents] for the organization with this id.
func (a *API) AgentsIn(organizationID string) map[string]string {
	a.service.mu.Lock()
	defer a.service.mu.Unlock()
	ids := map[string]string{}
	for _, agent := range a.service.agentOrder {
		if agent.organization.id == organizationID {
			ids[agent.name] = agent.id
		}
	}
	return ids
}

// Executions returns all executions, oldest first.
func (a *API) Executions() []Execution {
	a.service.lockAndAdvance()
	defer a.service.mu.Unlock()
	var all []Execution
	for _, e := range a.service.executionOrder {
		all = append(all, e.snapshot())
	}
	return all
}

// Execution returns the execution with this id; ok is false if there is none.
func (a *API) Execution(id string) (_ Execution, ok bool) {
	a.service.lockAndAdvance()
	defer a.service.mu.Unlock()
	e := a.service.executions[id]
	if e == nil {
		return Execution{}, false
	}
	return e.snapshot(), true
}

// Requests returns the requests that the API received, oldest first. It keeps at least the latest
// 100,000.
func (a *API) Requests() []Request {
	a.service.mu.Lock()
	defer a.service.mu.Unlock()
	var all []Request
	for _, entry := range a.service.requests {
		all = append(all, *entry)
	}
	return all
}
