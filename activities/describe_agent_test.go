package activities_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
)

func TestDescribeAgentTellsWhatAVersionTakesAndGives(t *testing.T) {
	t.Parallel()
	for _, dialect := range []asteroid.Dialect{asteroid.DialectAgents, asteroid.DialectWorkflows} {
		api := testsuite.NewAPI(t)
		agent := api.ServeAgent("claims", func(testsuite.Run) []testsuite.Step { return nil })
		api.AddVersion(agent, testsuite.Version{HardTimeoutMins: 45, Inputs: []testsuite.Input{
			{Name: "claim", Required: true, Description: "Its\nnumber"}, {Name: "amount", Schema: map[string]any{"type": "number"}, Default: 5},
		}, Outputs: map[string]map[string]any{"filed": {"type": "object"}}})
		api.AddVersion(agent, testsuite.Version{})
		connections := connect(api)
		connection := connections["default"]
		connection.Dialect = dialect
		env := newEnv(t, worker.Options{Connections: map[string]asteroid.Connection{"default": connection}})
		describe := func(version *int) *asteroid.AgentDescription {
			described, err := runActivity[asteroid.AgentDescription](env, asteroid.DescribeAgentName, asteroid.DescribeAgentInput{AgentID: agent, Version: version})
			require.NoError(t, err)
			return described
		}
		first := describe(new(1))
		require.NotEmpty(t, first.VersionID)
		first.VersionID = ""
		require.Equal(t, &asteroid.AgentDescription{
			AgentID: agent, Version: 1, HardTimeoutMinutes: 45,
			Inputs: []asteroid.AgentInput{
				{Name: "claim", Schema: json.RawMessage(`{"type":"string"}`), Required: true, Description: "Its\nnumber"},
				{Name: "amount", Schema: json.RawMessage(`{"type":"number"}`), HasDefault: true, Default: json.RawMessage("5")},
			},
			Outputs: []asteroid.AgentOutput{{Node: "filed", Schema: json.RawMessage(`{"type":"object"}`)}},
		}, first)
		require.True(t, describe(nil).Published)
		require.Equal(t, 2, describe(nil).Version)

		read := len(api.Requests())
		api.AddVersion(agent, testsuite.Version{})
		require.False(t, describe(new(2)).Published, "told anew")
		require.Len(t, api.Requests(), read+1, "a version is read once")
	}
}

func TestDescribeAgentIsRefusedForVersionsThatDoNotExist(t *testing.T) {
	t.Parallel()
	api := testsuite.NewAPI(t)
	draft := api.ServeAgent("draft", func(testsuite.Run) []testsuite.Step { return nil })
	api.AddVersion(draft, testsuite.Version{Draft: true})
	env := newEnv(t, worker.Options{Connections: connect(api)})
	for _, in := range []asteroid.DescribeAgentInput{{}, {AgentID: draft}, {AgentID: draft, Version: new(2)}, {AgentID: draft, Version: new(0)}} {
		_, err := runActivity[asteroid.AgentDescription](env, asteroid.DescribeAgentName, in)
		requireErrorType(t, invalidInput, err)
	}
	_, err := runActivity[asteroid.AgentDescription](env, asteroid.DescribeAgentName, asteroid.DescribeAgentInput{AgentID: api.OrganizationID()})
	requireErrorType(t, notFound, err)
}

func TestDescribeAgentIsBounded(t *testing.T) {
	t.Parallel()
	const list = `[{"id":"v-1","version":1,"isPublished":true,"createdAt":"2026-01-02T03:04:05Z"}, null, {"id":7}]`
	var inputs []string
	for i := range 3000 {
		inputs = append(inputs, fmt.Sprintf(`{"name":"in%d","required":%t,"schema":{"enum":[%q]},"description":%q}`, i, i == 0, strings.Repeat("x", 500), strings.Repeat("y", 5000)))
	}
	for name, row := range map[string]struct {
		inputs     string
		incomplete bool
		count      int
	}{
		"huge":        {strings.Join(inputs, ","), true, 3000},
		"odd members": {`null, {"name":7}, {"name":"a","schema":"text","required":"yes","description":null}`, false, 2},
		"bare":        {`{"name":"a"}`, false, 1},
		"deep":        {`{"name":"a","schema":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case strings.HasSuffix(r.URL.Path, "/a-1/workflows"):
					_, _ = w.Write([]byte(list))
				case strings.HasSuffix(r.URL.Path, "/inputs"):
					_, _ = w.Write([]byte(`{"inputs":[` + row.inputs + `]}`))
				default:
					_, _ = w.Write([]byte(`{"settings":null}`))
				}
			})})
			described, err := runActivity[asteroid.AgentDescription](env, asteroid.DescribeAgentName, asteroid.DescribeAgentInput{AgentID: "a-1"})
			require.NoError(t, err)
			require.Equal(t, row.incomplete, described.Incomplete)
			require.Len(t, described.Inputs, row.count)
			encoded, err := json.Marshal(described)
			require.NoError(t, err)
			require.Less(t, len(encoded), 256<<10)
		})
	}
}

func TestDescribeAgentReadsNoPromptsAndCredentials(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t of the prompt"
	env := newEnv(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/a-1/workflows"):
			_, _ = fmt.Fprintf(w, `[{"id":"v-1","version":1,"isPublished":true,"author":%q}]`, secret)
		case strings.HasSuffix(r.URL.Path, "/inputs"):
			_, _ = fmt.Fprintf(w, `{"inputs":[{"name":"a","prompt":%q}],"prompts":%[1]q}`, secret)
		case strings.HasSuffix(r.URL.Path, "/output-schemas"):
			_, _ = w.Write([]byte(`{}`))
		default:
			_, _ = fmt.Fprintf(w, `{"rules":%q,"graph":{"nodes":[{"prompt":%[1]q}]},"cookies":[%[1]q],"settings":{"max_timeout_mins":30,"credentials":%[1]q}}`, secret)
		}
	})})
	described, err := runActivity[asteroid.AgentDescription](env, asteroid.DescribeAgentName, asteroid.DescribeAgentInput{AgentID: "a-1"})
	require.NoError(t, err)
	require.Equal(t, 30, described.HardTimeoutMinutes)
	encoded, err := json.Marshal(described)
	require.NoError(t, err)
	require.NotContains(t, string(encoded), "s3cr3t")
}

func TestDescribeAgentNeedsInputsOnly(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		absent      string // the end of a route that the service does not serve
		unsupported bool
	}{
		"the list":           {"/a-1/workflows", true},
		"the inputs":         {"/inputs", true},
		"the output schemas": {"/output-schemas", false},
		"the version":        {"/v-1", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case strings.HasSuffix(r.URL.Path, row.absent):
					http.Error(w, "404 page not found", http.StatusNotFound)
				case strings.HasSuffix(r.URL.Path, "/a-1/workflows"):
					_, _ = w.Write([]byte(`[{"id":"v-1","version":1,"isPublished":true}]`))
				case strings.HasSuffix(r.URL.Path, "/inputs"):
					_, _ = w.Write([]byte(`{"inputs":[{"name":"a","required":true,"defaultValue":null}]}`))
				default:
					_, _ = w.Write([]byte(`{}`))
				}
			})})
			described, err := runActivity[asteroid.AgentDescription](env, asteroid.DescribeAgentName, asteroid.DescribeAgentInput{AgentID: "a-1"})
			require.NoError(t, err)
			require.Equal(t, row.unsupported, described.Unsupported)
			if !row.unsupported {
				require.False(t, described.Inputs[0].HasDefault, "null is none")
			}
		})
	}
}

func TestDescribeAgentAsksAgainAfterAServiceThatDidNotServeTheInputs(t *testing.T) {
	t.Parallel()
	served := atomic.Bool{}
	env := newEnv(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/a-1/workflows"):
			_, _ = w.Write([]byte(`[{"id":"v-1","version":1,"isPublished":true}]`))
		case !served.Load():
			http.Error(w, "404 page not found", http.StatusNotFound)
		default:
			_, _ = w.Write([]byte(`{"inputs":[{"name":"a"}]}`))
		}
	})})
	describe := func() *asteroid.AgentDescription {
		described, err := runActivity[asteroid.AgentDescription](env, asteroid.DescribeAgentName, asteroid.DescribeAgentInput{AgentID: "a-1"})
		require.NoError(t, err)
		return described
	}
	require.Equal(t, &asteroid.AgentDescription{AgentID: "a-1", Unsupported: true}, describe())
	served.Store(true)
	require.Len(t, describe().Inputs, 1)
}
