package temporalserver

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid/cmd/internal/child"
	"github.com/temporal-asteroid/asteroid/cmd/internal/compile"
)

// The test binary is also a temporal command, whose server is that of cmd/devserver.
const (
	cliVersionEnv   = "TEMPORALSERVER_TEST_CLI" // what --version prints
	cliDevServerEnv = "TEMPORALSERVER_TEST_DEVSERVER"
)

func TestMain(m *testing.M) {
	if code, isSupervisor := child.Supervise(os.Args[1:]); isSupervisor {
		os.Exit(code)
	}
	if version := os.Getenv(cliVersionEnv); version != "" {
		os.Exit(runCLI(version, os.Args[1:]))
	}
	os.Exit(m.Run())
}

// runCLI runs a command line of the temporal command.
func runCLI(version string, args []string) int {
	if args[0] == "--version" {
		fmt.Println(version)
		return 0
	}
	devServer := os.Getenv(cliDevServerEnv)
	if devServer == "" {
		fmt.Fprintln(os.Stderr, "unable to start: disk full")
		return 3
	}
	flags := []string{"--json"}
	for i, arg := range args {
		switch {
		case arg == "--port" || arg == "--ui-port" || arg == "--namespace":
			flags = append(flags, arg, args[i+1])
		case strings.HasPrefix(arg, "--search-attribute="):
			flags = append(flags, arg)
		}
	}
	l, err := child.NewLifeline(devServer) // as a program that starts its server in another process
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	command, err := l.Command([]string{cliVersionEnv + "="}, flags...)
	if err == nil {
		err = command.Run()
	}
	if err != nil {
		return 1
	}
	return 0
}

const currentVersion = "temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)"

// putCLI puts a temporal command of this version first on the PATH. Without a dev server it fails
// to start one.
func putCLI(t *testing.T, version, devServer string) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	directory := t.TempDir()
	require.NoError(t, os.Symlink(self, filepath.Join(directory, "temporal")))
	t.Setenv("PATH", directory+string(filepath.ListSeparator)+os.Getenv("PATH"))
	t.Setenv(cliVersionEnv, version)
	t.Setenv(cliDevServerEnv, devServer)
}

// recorder records the progress.
type recorder struct {
	mu     sync.Mutex
	phases []string
	counts []string
}

func (r *recorder) Phase(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.phases = append(r.phases, text)
}

func (r *recorder) Count(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts = append(r.counts, text)
}

func (r *recorder) all() string { return strings.Join(append(r.phases, r.counts...), "\n") }

// startServer starts a server for at most ten minutes, which the first compilation may take.
func startServer(t *testing.T, o Options) (*Server, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	s, err := Start(ctx, o)
	if err == nil {
		t.Cleanup(s.Stop)
	}
	return s, err
}

// requireServes checks that the server is there, with the search attribute, and its web UI.
func requireServes(t *testing.T, s *Server, searchAttribute string) {
	t.Helper()
	c, err := client.DialContext(t.Context(), s.ClientOptions())
	require.NoError(t, err)
	defer c.Close()
	attributes, err := c.OperatorService().ListSearchAttributes(t.Context(), &operatorservice.ListSearchAttributesRequest{Namespace: s.Namespace()})
	require.NoError(t, err)
	require.Contains(t, attributes.CustomAttributes, searchAttribute)
	response, err := http.Get(s.WorkflowURL("a workflow", "a run"))
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Equal(t, s.UIURL()+"/namespaces/orders/workflows/a%20workflow/a%20run/user-metadata", s.WorkflowURL("a workflow", "a run"))
}

// requireFree checks that nobody listens at the address.
func requireFree(t *testing.T, address string) {
	t.Helper()
	require.Eventually(t, func() bool {
		listener, err := net.Listen("tcp", address)
		return err == nil && listener.Close() == nil
	}, time.Minute, 10*time.Millisecond)
}

func TestStartUsesCLIOrEmbeddedServerOrOneThatRuns(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Temporal servers")
	}
	options := Options{
		Kind: Embedded, Namespace: "orders",
		SearchAttributes: map[string]enumspb.IndexedValueType{"Customer": enumspb.INDEXED_VALUE_TYPE_KEYWORD},
	}
	embedded, err := startServer(t, options)
	require.NoError(t, err)
	requireServes(t, embedded, "Customer")
	require.True(t, embedded.Own())

	directory, err := compile.CacheDirectory()
	require.NoError(t, err)
	putCLI(t, "temporal version 1.1.0 (Server 1.25.0, UI 2.30.0)", filepath.Join(directory, "devserver"))
	var progress recorder
	options.Kind, options.Progress = "", &progress
	cli, err := startServer(t, options)
	require.NoError(t, err)
	requireServes(t, cli, "Customer")
	require.True(t, cli.Own())
	require.Contains(t, progress.all(), "temporal version 1.1.0 (Server 1.25.0, UI 2.30.0), from ")
	require.Contains(t, progress.all(), "older than 1.29")

	running, err := startServer(t, Options{Address: cli.Address(), Namespace: "orders"})
	require.NoError(t, err)
	require.False(t, running.Own())
	require.Empty(t, running.WorkflowURL("a", "b"), "the web UI is not a thousand ports above")
	running.Stop()
	requireServes(t, cli, "Customer")

	for _, s := range []*Server{embedded, cli} {
		s.Stop()
		<-s.Exited()
		requireFree(t, s.Address())
		requireFree(t, strings.TrimPrefix(s.UIURL(), "http://"))
	}
}

func TestStartReadsProfile(t *testing.T) {
	t.Setenv("TEMPORAL_CONFIG_FILE", filepath.Join(t.TempDir(), "none.toml"))
	file := filepath.Join(t.TempDir(), "temporal.toml")
	require.NoError(t, os.WriteFile(file, []byte("[profile.work]\naddress = \"127.0.0.1:1\"\n"), 0o600))
	t.Setenv("TEMPORAL_CONFIG_FILE", file)
	_, err := Start(t.Context(), Options{Profile: "work"})
	require.ErrorContains(t, err, "no Temporal server answers at 127.0.0.1:1: start one there")
	_, err = Start(t.Context(), Options{Profile: "play"})
	require.ErrorContains(t, err, "play")
}

func TestStartReportsCLIThatExits(t *testing.T) {
	putCLI(t, currentVersion, "")
	began := time.Now()
	_, err := Start(t.Context(), Options{})
	require.ErrorContains(t, err, "exited before it was ready (exit status 3): unable to start: disk full")
	require.Less(t, time.Since(began), readyTimeout)
}

func TestStartRefusesOtherTemporalCommand(t *testing.T) {
	putCLI(t, "Temporal Logic 2.0", "")
	_, err := Start(t.Context(), Options{})
	require.ErrorContains(t, err, `does not seem to be the Temporal CLI`)
	require.ErrorContains(t, err, `"Temporal Logic 2.0"`)
}

func TestStartSaysWhatIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for _, row := range []struct {
		options Options
		want    string
	}{
		{Options{Kind: CLI}, "there is no temporal command on the PATH: install the Temporal CLI"},
		{Options{}, "there is no go command on the PATH to compile a Temporal server: install the Temporal CLI (https://docs.temporal.io/cli), or let the SDK download it with --server download"},
		{Options{Kind: "docker"}, `server "docker": choose cli, embedded or download`},
		{Options{Kind: CLI, Address: "localhost:7233"}, "names a server that runs already"},
	} {
		_, err := Start(t.Context(), row.options)
		require.ErrorContains(t, err, row.want)
		require.NotContains(t, err.Error(), "\n")
	}
}

func TestStartNamesPortInUse(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer busy.Close()
	port := busy.Addr().(*net.TCPAddr).Port
	_, err = Start(t.Context(), Options{UIPort: port})
	require.EqualError(t, err, fmt.Sprintf("port %d is in use: choose another with --ui-port, or omit the flag for a free one", port))
}

func TestStartUsesEarlierDownload(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	directory, err := compile.CacheDirectory()
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	path, err := downloadPath()
	require.NoError(t, err)
	require.Equal(t, directory, filepath.Dir(path))
	require.NoError(t, os.Symlink(self, path))
	t.Setenv(cliVersionEnv, currentVersion)
	_, err = Start(t.Context(), Options{Kind: Download})
	require.ErrorContains(t, err, path+" exited before it was ready")
}

func TestGuessUI(t *testing.T) {
	for address, want := range map[string]string{
		"orders.a1b2c.tmprl.cloud:7233":      "https://cloud.temporal.io",
		"us-east-1.aws.api.temporal.io:7233": "https://cloud.temporal.io",
		"temporal.example.com:7233":          "",
		"127.0.0.1:1":                        "",
		"not an address":                     "",
	} {
		require.Equal(t, want, guessUI(t.Context(), address), address)
	}
}
