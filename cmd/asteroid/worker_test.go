package main

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

func TestWorkerCheckNamesEachProblem(t *testing.T) {
	address := temporalServer(t).HostPort()
	api := testsuite.NewAPI(t)
	t.Setenv("CHECK_TEST_KEY", api.APIKey())
	t.Setenv("CHECK_TEST_WRONG_KEY", pastedKey)
	t.Setenv("CHECK_TEST_SHORT_KEY", "short")
	connection := func(key, more string) string {
		return fmt.Sprintf("{apiKeyEnv: %s, baseUrl: %q%s}", key, api.BaseURL(), more)
	}
	for name, test := range map[string]struct {
		connections map[string]string
		args        []string
		want        []string // parts of the lines
	}{
		"all is well": {
			connections: map[string]string{"a": connection("CHECK_TEST_KEY", ""), "b": connection("CHECK_TEST_KEY", ", organizationId: "+api.OrganizationID())},
			want:        []string{"ok: Temporal at " + address + ", namespace default, connections: 2"},
		},
		"each connection fails": {
			connections: map[string]string{
				"a": connection("CHECK_TEST_NONE", ""),
				"b": connection("CHECK_TEST_WRONG_KEY", ""),
				"c": connection("CHECK_TEST_KEY", ", organizationId: 3b1b4c1e-0000-4000-8000-000000000000"),
				"d": "{apiKeyEnv: CHECK_TEST_KEY, baseUrl: 'http://127.0.0.1:1'}",
				"e": connection("CHECK_TEST_KEY", ""),
				"f": connection("CHECK_TEST_SHORT_KEY", ""),
			},
			want: []string{`connection "a": `, `connection "b": `, `connection "c": `, `connection "d": `, `connection "f": `},
		},
		"no namespace": {
			connections: map[string]string{"a": connection("CHECK_TEST_KEY", "")},
			args:        []string{"--namespace", "elsewhere"},
			want:        []string{`has no namespace "elsewhere": create it`},
		},
		"no Temporal": {
			connections: map[string]string{"a": connection("CHECK_TEST_NONE", "")},
			args:        []string{"--address", "127.0.0.1:1"},
			want:        []string{"no Temporal service answers at 127.0.0.1:1: start it, or give --address or --profile", `connection "a": `},
		},
	} {
		t.Run(name, func(t *testing.T) {
			text := "connections:\n"
			for name, settings := range test.connections {
				text += "  " + name + ": " + settings + "\n"
			}
			path := filepath.Join(t.TempDir(), "worker.yaml")
			require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
			var out, problems strings.Builder
			code := run(t.Context(), append([]string{"worker", "--check", "--address", address, "--config", path}, test.args...), nil, &out, &problems)
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			t.Log(out.String())
			require.Len(t, lines, len(test.want))
			for i, want := range test.want {
				require.Contains(t, lines[i], want)
			}
			require.NotContains(t, out.String()+problems.String(), pastedKey)
			require.NotContains(t, out.String()+problems.String(), api.APIKey())
			if name == "all is well" {
				require.Zero(t, code, problems.String())
				require.Empty(t, problems.String())
				return
			}
			require.Equal(t, exitFailed, code)
			require.Contains(t, problems.String(), "asteroid: the check found problems: ")
		})
	}
}

func TestWorkerRefusesMissingNamespace(t *testing.T) {
	t.Parallel()
	started := startCommand(t, workerArgs(t, writeConfig(t, testsuite.NewAPI(t), ""), "--namespace", "elsewhere")...)
	require.Equal(t, exitFailed, <-started.code)
	started.code <- exitFailed
	require.Contains(t, started.log.String(), `has no namespace "elsewhere": create it`)
}

func TestWorkerStartsWithoutKeyAndSaysSo(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	config := filepath.Join(t.TempDir(), "worker.yaml")
	api := testsuite.NewAPI(t)
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil,
		"checkInterval: 50ms\nconnections: {default: {apiKeyFile: %q, baseUrl: %q}}", path, api.BaseURL()), 0o600))
	started := startCommand(t, workerArgs(t, config)...)
	require.Contains(t, started.logged("Not ready")["Problem"], `connection "default"`)
	status, body := get(t, started.address()+"/readyz")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, body, path)
	require.NoError(t, os.WriteFile(path, []byte(api.APIKey()), 0o600))
	started.logged("Ready")
	status, body = get(t, started.address()+"/readyz")
	require.Equal(t, http.StatusOK, status, body)
	require.Zero(t, started.stop())
}

func TestWorkerReadinessFollowsTemporal(t *testing.T) {
	t.Parallel()
	gate, address := newGate(t, temporalServer(t).HostPort())
	config := writeConfig(t, testsuite.NewAPI(t), "checkInterval: 50ms\n")
	started := startCommand(t, workerArgs(t, config, "--address", address)...)
	ready := func(wanted int) {
		t.Helper()
		require.Eventually(t, func() bool {
			status, _ := get(t, started.address()+"/readyz")
			return status == wanted
		}, time.Minute, 20*time.Millisecond)
		status, body := get(t, started.address()+"/healthz")
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, "alive\n", body)
	}
	for range 2 {
		ready(http.StatusOK)
		gate.set(true)
		ready(http.StatusServiceUnavailable)
		_, body := get(t, started.address()+"/readyz")
		require.Contains(t, body, "no Temporal service answers at "+address)
		gate.set(false)
	}
	ready(http.StatusOK)
	require.Zero(t, started.stop())
}

func TestWorkerServesMetricsWithoutSecrets(t *testing.T) {
	t.Parallel()
	c := temporalClient(t)
	api := testsuite.NewAPI(t)
	secret := strings.Repeat("secret-", 6)
	file := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(file, []byte(secret), 0o600))
	started := startCommand(t, workerArgs(t, writeConfig(t, api, fmt.Sprintf("webhookSecrets: [{file: %q}]\n", file)), "--log-level", "debug")...)
	started.logged("Ready")
	require.NoError(t, startAgent(t, c, workflows.RunAgentInput{AgentID: api.AgentID("patient"), Inputs: asteroid.Inputs{"seconds": 1}}).Get(t.Context(), nil))
	_, scraped := get(t, started.address()+"/metrics")
	_, readiness := get(t, started.address()+"/readyz")
	for _, want := range []string{
		"# TYPE temporal_request_total counter", "# TYPE temporal_activity_execution_latency_seconds histogram",
		`le="0.005"`, `le="14400"`, "# TYPE go_goroutines gauge", "# TYPE temporal_worker_task_slots_available gauge",
	} {
		require.Contains(t, scraped, want)
	}
	for _, unwanted := range []string{"otel_scope", "target_info", `le="10000"`} {
		require.NotContains(t, scraped, unwanted)
	}
	require.Zero(t, started.stop())
	for _, text := range []string{scraped, readiness, started.log.String()} {
		require.NotContains(t, text, api.APIKey())
		require.NotContains(t, text, secret)
	}
}

func TestWorkerReceivesWebhooks(t *testing.T) {
	t.Parallel()
	c := temporalClient(t)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "webhook.pem"), []byte(testPublicKey()), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "secret"), []byte(strings.Repeat("secret-", 6)), 0o600))
	address := freeAddress(t)
	api := testsuite.NewAPI(t, testsuite.WithWebhooks("http://"+address+"/hooks", testKey()))
	started := startCommand(t, workerArgs(t, writeConfig(t, api, strings.ReplaceAll(`
events: webhooks
webhookSecrets: [{file: DIR/secret}]
webhooks: {listen: "`+address+`", path: /hooks, publicKeyFiles: [DIR/webhook.pem]}
`, "DIR", dir)))...)
	started.logged("Ready")
	require.NoError(t, startAgent(t, c, workflows.RunAgentInput{AgentID: api.AgentID("patient"), Inputs: asteroid.Inputs{"seconds": 1}}).Get(t.Context(), nil))
	_, scraped := get(t, started.address()+"/metrics")
	require.Contains(t, scraped, `asteroid_webhook_events_total{outcome="signalled"}`)
	status, _ := get(t, started.address()+"/hooks")
	require.Equal(t, http.StatusNotFound, status, "webhooks have an address of their own")
	require.Zero(t, started.stop())
}

func TestWorkerServesItsVersion(t *testing.T) {
	t.Parallel()
	c := temporalClient(t)
	api := testsuite.NewAPI(t)
	started := startCommand(t, workerArgs(t, writeConfig(t, api, "events: poll\n"), "--deployment-name", t.Name(), "--build-id", "7")...)
	started.logged("Ready")
	deployment := c.WorkerDeploymentClient().GetHandle(t.Name())
	require.Eventually(t, func() bool {
		_, err := deployment.SetCurrentVersion(t.Context(), client.WorkerDeploymentSetCurrentVersionOptions{BuildID: "7"})
		return err == nil
	}, time.Minute, 100*time.Millisecond)
	run := startAgent(t, c, workflows.RunAgentInput{AgentID: api.AgentID("patient"), Inputs: asteroid.Inputs{"seconds": 1}})
	require.NoError(t, run.Get(t.Context(), nil))
	described, err := c.DescribeWorkflowExecution(t.Context(), run.GetID(), run.GetRunID())
	require.NoError(t, err)
	versioning := described.WorkflowExecutionInfo.VersioningInfo
	require.Equal(t, enums.VERSIONING_BEHAVIOR_PINNED, versioning.Behavior)
	require.Equal(t, "7", versioning.DeploymentVersion.BuildId)
	require.Zero(t, started.stop())
}

// freeAddress returns an address that nothing listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

func TestWorkerRefusesAddressInUse(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	var out, problems strings.Builder
	code := run(t.Context(), []string{"worker", "--address", "127.0.0.1:1", "--listen", listener.Addr().String()}, nil, &out, &problems)
	require.Equal(t, exitFailed, code)
	require.Contains(t, problems.String(), "address already in use; give another address, such as 127.0.0.1:9464")
}

func TestWorkerStopsGracefullyUnderLoad(t *testing.T) {
	t.Parallel()
	c := temporalClient(t)
	api := testsuite.NewAPI(t)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "claims.csv"), []byte("id,amount\n1,2\n"), 0o600))
	config := writeConfig(t, api, fmt.Sprintf("stopTimeout: 10s\nfileRoots: [%q]\n", dir))
	const agents, deploys = 60, 4
	var runs []client.WorkflowRun
	for i := range agents {
		runs = append(runs, startAgent(t, c, workflows.RunAgentInput{
			AgentID: api.AgentID("patient"), Inputs: asteroid.Inputs{"seconds": 1 + i%5},
			Files: []asteroid.FileRef{{URI: "file://" + filepath.Join(dir, "claims.csv")}},
		}))
	}
	for deploy := range deploys {
		child := startChild(t, workerArgs(t, config)...)
		want := agents * (deploy + 1) / (deploys + 1)
		require.Eventually(t, func() bool { return len(api.Executions()) >= want }, time.Minute, 5*time.Millisecond)
		child.requireGracefulStop(10 * time.Second)
	}
	startCommand(t, workerArgs(t, config)...)
	for _, run := range runs {
		require.NoError(t, run.Get(t.Context(), nil))
	}
	require.Len(t, api.Executions(), agents, "each agent ran once")
}

func TestWorkerStopsInTimeWhateverHangs(t *testing.T) {
	t.Parallel()
	c := temporalClient(t)
	const agents = 5
	for name, test := range map[string]struct {
		hanging      string // operation of the fake
		cutsTemporal bool
	}{
		"an upload":            {hanging: "TempFilesStage"},
		"an execute":           {hanging: "AgentExecutePost"},
		"a read":               {hanging: "ExecutionGet"},
		"the watch":            {hanging: "ExecutionsList"},
		"Temporal":             {cutsTemporal: true},
		"Temporal and uploads": {hanging: "TempFilesStage", cutsTemporal: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := testsuite.NewAPI(t)
			if test.hanging != "" {
				api.Inject(test.hanging, testsuite.Stall(time.Hour), 1000)
			}
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "claims.csv"), []byte("id,amount\n1,2\n"), 0o600))
			for range agents {
				startAgent(t, c, workflows.RunAgentInput{
					AgentID: api.AgentID("patient"), Inputs: asteroid.Inputs{"seconds": 60},
					Files: []asteroid.FileRef{{URI: "file://" + filepath.Join(dir, "claims.csv")}},
				})
			}
			gate, address := newGate(t, temporalServer(t).HostPort())
			config := writeConfig(t, api, fmt.Sprintf("stopTimeout: 1s\nfileRoots: [%q]\n", dir))
			child := startChild(t, workerArgs(t, config, "--address", address)...)
			require.Eventually(t, func() bool {
				return slices.ContainsFunc(api.Requests(), func(r testsuite.Request) bool { return r.Operation == cmp.Or(test.hanging, "AgentExecutePost") })
			}, time.Minute, 5*time.Millisecond)
			if test.cutsTemporal {
				gate.set(true)
			}
			child.requireGracefulStop(time.Second)
		})
	}
}

func TestCommandLinksNoTemporalServer(t *testing.T) {
	t.Parallel()
	listed, err := exec.Command("go", "list", "-deps", ".").Output()
	require.NoError(t, err)
	for dependency := range strings.Lines(string(listed)) {
		require.NotRegexp(t, `^(go\.temporal\.io/server|github\.com/temporalio/ui-server|modernc\.org|k8s\.io|github\.com/prometheus/prometheus)/`, dependency)
	}
}
