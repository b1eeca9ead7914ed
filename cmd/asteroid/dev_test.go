package main

import (
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

func TestDevRunsAgents(t *testing.T) {
	t.Parallel()
	for _, events := range []asteroid.Events{asteroid.EventsWatch, asteroid.EventsWebhooks} {
		t.Run(string(events), func(t *testing.T) {
			t.Parallel()
			c := temporalClient(t)
			dev := startCommand(t, "dev", "--address", temporalServer(t).HostPort(), "--fake-listen", "127.0.0.1:0", "--root", t.TempDir(),
				"--task-queue", t.Name(), "--events", string(events), "--json")
			var report devReport
			require.Eventually(t, func() bool { return json.Unmarshal([]byte(dev.out.String()), &report) == nil }, time.Minute, 10*time.Millisecond, "%s", dev.log)
			var result workflows.RunAgentResult
			require.NoError(t, startAgent(t, c, workflows.RunAgentInput{
				AgentID: report.Fake.Agents["inventory"],
				Files:   []asteroid.FileRef{{URI: "data:text/plain,hello", Name: "hello.txt"}},
				Collect: &workflows.Collect{Destination: "file://" + report.Worker.Root + "/out"},
			}).Get(t.Context(), &result))
			require.NotEmpty(t, result.Outputs)
			status, scraped := get(t, report.Worker.URL+"/metrics")
			require.Equal(t, http.StatusOK, status)
			if events == asteroid.EventsWebhooks {
				require.Contains(t, scraped, `asteroid_webhook_events_total{outcome="signalled"}`)
			}
			require.Zero(t, dev.stop(), "%s", dev.log)
			_, err := net.Dial("tcp", strings.TrimPrefix(report.Fake.BaseURL, "http://"))
			require.Error(t, err, "the fake has stopped")
			require.NotContains(t, dev.log.String(), `"level":"ERROR"`)
		})
	}
}

func TestDevRefusesMistakes(t *testing.T) {
	t.Parallel()
	api := testsuite.NewAPI(t)
	used := strings.TrimPrefix(api.BaseURL(), "http://")
	_, usedPort, err := net.SplitHostPort(used)
	require.NoError(t, err)
	free := []string{"--port", "0", "--ui-port", "0", "--fake-listen", "127.0.0.1:0"}
	for name, test := range map[string]struct {
		args []string
		code int
		want string
	}{
		"kind of server":    {[]string{"--server", "docker"}, exitUsage, `--server "docker": must be cli, embedded or download`},
		"two servers":       {[]string{"--server", "cli", "--address", "127.0.0.1:1"}, exitUsage, "--server starts a Temporal server, and --address and --profile name one that runs"},
		"no port":           {[]string{"--port", "99999"}, exitUsage, "--port 99999 is no port"},
		"port in use":       {[]string{"--port", usedPort}, exitUsage, "port " + usedPort + " is not free: give --port another one, or 0"},
		"UI port in use":    {[]string{"--ui-port", usedPort}, exitUsage, "port " + usedPort + " is not free: give --ui-port another one, or 0"},
		"fake's in use":     {[]string{"--fake-listen", used}, exitFailed, "address already in use; give another address with --fake-listen"},
		"short key":         {[]string{"--fake-key", "key"}, exitUsage, "--fake-key must have at least 8 characters"},
		"events":            {[]string{"--events", "push"}, exitUsage, `events is "push": must be "watch", "webhooks" or "poll"`},
		"log level":         {[]string{"--log-level", "loud"}, exitUsage, `the log level is "loud"`},
		"missing directory": {[]string{"--root", "/no/such/directory"}, exitUsage, "fileRoots[0]: stat /no/such/directory: no such file or directory"},
		"no server there":   {[]string{"--address", "127.0.0.1:1"}, exitFailed, "no Temporal server answers at 127.0.0.1:1"},
		"argument":          {[]string{"now"}, exitUsage, `unknown command "now"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, problems strings.Builder
			code := run(t.Context(), append(append([]string{"dev"}, free...), test.args...), nil, &out, &problems)
			lines := strings.Split(strings.TrimSpace(problems.String()), "\n")
			require.Contains(t, lines[len(lines)-1], "asteroid: ")
			require.Contains(t, lines[len(lines)-1], test.want)
			require.Equal(t, test.code, code)
			require.Empty(t, out.String())
		})
	}
}

func TestDevReportNamesServerInEveryCommand(t *testing.T) {
	t.Parallel()
	var r devReport
	r.Temporal.Address, r.Temporal.Namespace, r.Worker.TaskQueue = client.DefaultHostPort, client.DefaultNamespace, defaultTaskQueue
	require.Contains(t, r.text(), "  asteroid list --address localhost:7233 --namespace default\n", "whatever TEMPORAL_ADDRESS is")
	r.profile, r.Worker.TaskQueue = "claims", "mine"
	require.Contains(t, r.text(), "  asteroid run --profile claims --address localhost:7233 --namespace default --task-queue mine ")
	require.Contains(t, r.text(), "--namespace default --task-queue mine --type asteroid.RunAgent")
}

func TestDevKeepsApartFromWorkersOfOthers(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		args   []string
		events string
	}{{nil, "watch"}, {[]string{"--task-queue", "mine", "--events", "watch"}, "watch"}} {
		for _, address := range []string{"", "127.0.0.1:7233"} {
			s := devSettings{}
			flags := pflag.NewFlagSet("dev", pflag.ContinueOnError)
			s.addFlags(flags)
			require.NoError(t, flags.Parse(row.args))
			s.server.Address = address
			s.keepApart(flags)
			apart := address != "" && row.args == nil
			require.Equal(t, apart, strings.HasPrefix(s.config.TaskQueue, "asteroid-dev-"), s.config.TaskQueue)
			require.Equal(t, map[bool]string{true: "poll", false: row.events}[apart], s.config.Events)
		}
	}
}
