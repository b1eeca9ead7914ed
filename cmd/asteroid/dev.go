package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/cmd/internal/progress"
	"github.com/temporal-asteroid/asteroid/cmd/internal/temporalserver"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
	"github.com/temporal-asteroid/asteroid/workflows"
)

const devHelp = `Run all that somebody needs who writes workflows with agents: a Temporal server, a fake of the
Asteroid API, and a worker, until Ctrl-C.

The Temporal server is that of the temporal command on the PATH, or else it is compiled on the first
use. With --address or --profile, one that runs already is used, with a task queue of its own unless
you name one. The fake's agents process their files and inputs; no account is needed. The worker has search attributes, may read and save files
below --root and in the bucket mem://scratch, and serves its metrics.

Your own workflows run on a worker of yours with its own task queue. They call agents by the plugin
of that worker, or by the workflow asteroid.RunAgent on the task queue of this one.`

// devSettings are the flags of asteroid dev.
type devSettings struct {
	server  temporalserver.Options
	kind    string
	config  workerConfig
	fake    string // its address
	root    string
	fakeKey string
}

func (c *cli) newDevCommand() *cobra.Command {
	var settings devSettings
	command := &cobra.Command{
		Use:   "dev",
		Short: "Run a Temporal server, a fake of Asteroid and a worker, for development",
		Long:  devHelp,
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(command *cobra.Command, _ []string) error {
			if err := settings.check(&c.temporal); err != nil {
				return usageErrorf("%w", err)
			}
			settings.keepApart(command.Flags())
			return c.dev(command.Context(), &settings)
		},
	}
	settings.addFlags(command.Flags())
	return command
}

func (s *devSettings) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&s.kind, "server", "", "start this `kind` of Temporal server: cli, embedded or download (default: cli, or embedded without a temporal command)")
	flags.StringVar(&s.server.DatabaseFile, "db", "", "keep the Temporal server's data in this `file` (default: in memory)")
	flags.IntVar(&s.server.Port, "port", 7233, "serve Temporal on this `port`; 0: a free one")
	flags.IntVar(&s.server.UIPort, "ui-port", 8233, "serve the web UI on this `port`; 0: a free one")
	flags.StringVar(&s.fake, "fake-listen", "127.0.0.1:8765", "serve the fake on this `host:port`; port 0: a free one")
	flags.StringVar(&s.fakeKey, "fake-key", "asteroid-dev-key", "the `key` that the fake takes")
	flags.StringVar(&s.config.Listen, "listen", "127.0.0.1:0", "serve the worker's /healthz, /readyz and /metrics on this `host:port`")
	flags.StringVar(&s.config.TaskQueue, "task-queue", defaultTaskQueue, "serve this task `queue`")
	flags.StringVar(&s.config.Events, "events", "watch", "how workflows learn of changes: watch, webhooks or poll")
	flags.StringVar(&s.config.LogLevel, "log-level", "warn", "debug, info, warn or error")
	flags.StringVar(&s.root, "root", ".", "let the worker read and save files below this `directory`")
}

// check checks the flags and completes the settings of the server.
func (s *devSettings) check(temporal *temporalSettings) error {
	s.server.Kind = temporalserver.Kind(s.kind)
	s.server.Address, s.server.Profile, s.server.Namespace = temporal.address, temporal.profile, temporal.namespace
	running := temporal.address != "" || temporal.profile != ""
	switch {
	case s.kind != "" && !slices.Contains(temporalserver.Kinds, s.server.Kind):
		return fmt.Errorf("--server %q: must be cli, embedded or download", s.kind)
	case s.kind != "" && running:
		return errors.New("--server starts a Temporal server, and --address and --profile name one that runs: give one of them")
	case len(s.fakeKey) < 8:
		return errors.New("--fake-key must have at least 8 characters")
	}
	for flag, port := range map[string]int{"--port": s.server.Port, "--ui-port": s.server.UIPort} {
		if err := checkPort(flag, port); err != nil && !running {
			return err
		}
	}
	root, err := filepath.Abs(s.root)
	if err != nil {
		return fmt.Errorf("--root: %w", err)
	}
	s.config.FileRoots, s.config.OutputRoots = []string{root}, []string{root}
	s.config.Buckets = []string{"mem://scratch"}
	s.config.StopTimeout = span(5 * time.Second)
	s.config.SettleInterval = span(100 * time.Millisecond) // the fake lists output files at once
	return nil
}

// keepApart keeps the worker from the tasks of others on a server that runs already: they would run
// agents of the fake. It polls, since a watch would stay there after the fake is gone.
func (s *devSettings) keepApart(flags *pflag.FlagSet) {
	if s.server.Address == "" && s.server.Profile == "" {
		return
	}
	if !flags.Changed("task-queue") {
		s.config.TaskQueue = "asteroid-dev-" + strings.ToLower(rand.Text()[:6])
	}
	if !flags.Changed("events") {
		s.config.Events = string(asteroid.EventsPoll)
	}
}

// checkPort says what to do about a port on which nothing can listen.
func checkPort(flag string, port int) error {
	if port < 0 || port > 65535 {
		return fmt.Errorf("%s %d is no port: give one from 1 to 65535, or 0 for a free one", flag, port)
	}
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return fmt.Errorf("port %d is not free: give %s another one, or 0 for a free one; --address uses a Temporal server that runs already", port, flag)
	}
	return listener.Close()
}

// dev runs everything until ctx ends. When it returns, nothing is left running.
func (c *cli) dev(ctx context.Context, s *devSettings) error {
	dir, err := os.MkdirTemp("", "asteroid-dev-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	api, err := s.startFake(dir)
	if err != nil {
		return err
	}
	defer func() { _ = api.Close() }() // it has logged its problems
	// The start of a server may take minutes, so mistakes are found before.
	checked, err := newWorkerRun(ctx, s.config, client.Options{Namespace: client.DefaultNamespace}, io.Discard)
	if err != nil {
		return err
	}
	checked.close()
	display := progress.New(c.err)
	defer display.Stop()
	s.server.Progress = display
	server, err := temporalserver.Start(ctx, s.server)
	if err != nil {
		return err
	}
	defer server.Stop()
	run, err := newWorkerRun(ctx, s.config, server.ClientOptions(), c.err)
	if err != nil {
		return err
	}
	defer run.close()
	if err := worker.EnsureSearchAttributes(ctx, run.client, server.Namespace(), run.plugin.SearchAttributes); err != nil {
		display.Phase("going on without search attributes: " + err.Error())
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	if server.Own() {
		go func() {
			select {
			case <-server.Exited():
				fail(errors.New("the Temporal server exited"))
			case <-ctx.Done():
			}
		}()
	}
	err = run.serve(ctx, func() error {
		display.Stop()
		return c.announceDev(newDevReport(s, server, api, run))
	})
	if cause := context.Cause(ctx); err == nil && cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// startFake starts the fake, and completes the worker's configuration with the connection to it.
// The directory takes the secrets.
func (s *devSettings) startFake(dir string) (*testsuite.API, error) {
	options := []testsuite.Option{
		testsuite.WithListenAddr(s.fake),
		testsuite.WithAPIKey(s.fakeKey),
		testsuite.WithKeysOnDownloads(), // like the real API
	}
	if s.config.Events == string(asteroid.EventsWebhooks) {
		receiver, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		_ = receiver.Close() // the worker takes the port
		s.config.Webhooks = &webhookConfig{Listen: receiver.Addr().String(), PublicKeyFiles: []string{filepath.Join(dir, "webhook")}}
		s.config.WebhookSecrets = []secretSource{{File: filepath.Join(dir, "secret")}}
		options = append(options, testsuite.WithWebhooks("http://"+s.config.Webhooks.Listen+defaultWebhookPath, nil))
	}
	api, err := testsuite.StartAPI(options...)
	if err != nil {
		return nil, fmt.Errorf("the fake: %w; give another address with --fake-listen, or port 0 for a free one", err)
	}
	s.config.Connections = map[string]connectionConfig{asteroid.DefaultConnection: {APIKeyFile: filepath.Join(dir, "key"), BaseURL: api.BaseURL()}}
	for name, text := range map[string]string{"key": s.fakeKey, "secret": rand.Text() + rand.Text(), "webhook": api.WebhookPublicKey()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			_ = api.Close()
			return nil, err
		}
	}
	return api, nil
}

// devReport is what asteroid dev prints when everything runs.
type devReport struct {
	profile string // by which the server was found, if any

	Temporal struct {
		Address   string `json:"address"`
		Namespace string `json:"namespace"`
		UIURL     string `json:"uiUrl"`
	} `json:"temporal"`
	Fake struct {
		BaseURL        string            `json:"baseUrl"`
		APIKey         string            `json:"apiKey"`
		OrganizationID string            `json:"organizationId"`
		Agents         map[string]string `json:"agents"`
	} `json:"fake"`
	Worker struct {
		TaskQueue string `json:"taskQueue"`
		URL       string `json:"url"`
		Root      string `json:"root"`
		Bucket    string `json:"bucket"`
	} `json:"worker"`
}

func newDevReport(s *devSettings, server *temporalserver.Server, api *testsuite.API, run *workerRun) (r devReport) {
	r.Temporal.Address, r.Temporal.Namespace, r.Temporal.UIURL = server.Address(), server.Namespace(), server.UIURL()
	r.profile = s.server.Profile
	r.Fake.BaseURL, r.Fake.APIKey, r.Fake.OrganizationID, r.Fake.Agents = api.BaseURL(), api.APIKey(), api.OrganizationID(), api.Agents()
	r.Worker.TaskQueue, r.Worker.URL = s.config.TaskQueue, "http://"+run.addresses["listen"]
	r.Worker.Root, r.Worker.Bucket = s.config.FileRoots[0], s.config.Buckets[0]
	return r
}

// announceDev prints the report: as one line of JSON, so that a program can read it and go on, or
// for people.
func (c *cli) announceDev(r devReport) error {
	if c.json {
		return json.NewEncoder(c.out).Encode(r)
	}
	_, err := io.WriteString(c.out, r.text())
	return err
}

func (r *devReport) text() string {
	var text strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&text, format+"\n", args...) }
	line("Temporal   %s, namespace %s", r.Temporal.Address, r.Temporal.Namespace)
	if r.Temporal.UIURL != "" {
		line("Web UI     %s", r.Temporal.UIURL)
	}
	line("Fake API   %s, key %s, organization %s", r.Fake.BaseURL, r.Fake.APIKey, r.Fake.OrganizationID)
	line("Worker     task queue %s, metrics on %s/metrics", r.Worker.TaskQueue, r.Worker.URL)
	line("Files      file://%s and %s", r.Worker.Root, r.Worker.Bucket)
	line("\nAgents of the fake:\n")
	for _, name := range slices.Sorted(maps.Keys(r.Fake.Agents)) {
		line("  %-10s %s", name, r.Fake.Agents[name])
	}
	flags, queue := r.temporalFlags(), ""
	if r.Worker.TaskQueue != defaultTaskQueue {
		queue = " --task-queue " + r.Worker.TaskQueue
	}
	line("\nTry in another terminal:\n")
	line(`  asteroid run%s%s %s --input seconds=20 --input "ask=Which account?"`, flags, queue, r.Fake.Agents["patient"])
	line(`  asteroid list%s`, flags)
	line(`  temporal workflow execute%s --task-queue %s --type %s --input '{"agentId":%q}'`,
		flags, r.Worker.TaskQueue, workflows.RunAgentName, r.Fake.Agents["echo"])
	line("\nFor a worker of your own:\n")
	line("  export ASTEROID_BASE_URL=%s ASTEROID_API_KEY=%s", r.Fake.BaseURL, r.Fake.APIKey)
	line("  export TEMPORAL_ADDRESS=%s TEMPORAL_NAMESPACE=%s", r.Temporal.Address, r.Temporal.Namespace)
	line("\nCtrl-C ends all of it.")
	return text.String()
}

// temporalFlags returns the flags by which other commands find the server, whatever their
// environment says.
func (r *devReport) temporalFlags() string {
	flags := " --address " + argument(r.Temporal.Address) + " --namespace " + argument(r.Temporal.Namespace)
	if r.profile != "" {
		flags = " --profile " + argument(r.profile) + flags
	}
	return flags
}
