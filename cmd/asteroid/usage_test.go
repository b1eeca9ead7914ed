package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/testsuite"
)

// Nothing listens there: a command that is wrong must not even try.
const nowhere = "127.0.0.1:1"

func TestCommandsRefuseWrongCommandLines(t *testing.T) {
	t.Parallel()
	agent := uuid.NewString()
	list, text := filepath.Join(t.TempDir(), "list.json"), filepath.Join(t.TempDir(), "text.json")
	require.NoError(t, os.WriteFile(list, []byte("[1]"), 0o600))
	require.NoError(t, os.WriteFile(text, []byte("{\n\"a\": 1,\n\"b\": oops}"), 0o600))
	for _, row := range []struct{ line, said string }{
		{"unknown", "unknown command"},
		{"lisst", "did you mean list?"},
		{"--address temporal list", "write it as host:port"},
		{"--address http://localhost:7233 list", "write it as host:port"},
		{"--address localhost:99999 list", "write it as host:port"},
		{"--address localhost: list", "write it as host:port"},
		{"run", "accepts 1 arg"},
		{"run " + agent + " --unknown", "--help lists the flags"},
		{"run " + agent + " --input word", "name=value"},
		{"run " + agent + " --input =x", "name=value"},
		{"run " + agent + " --input 1x=2", "fits no prompt"},
		{"run " + agent + ` --input a={"b":`, "is no JSON"},
		{"run " + agent + " --input a=1 --input a=2", "given twice"},
		{"run " + agent + " --inputs-file /no/such/file", "no such file"},
		{"run " + agent + " --inputs-file " + list, "holds no JSON object"},
		{"run " + agent + " --inputs-file " + text, "line 3"},
		{"run " + agent + " --metadata x", "name=value"},
		{"run " + agent + " --metadata temporal_x=1", "metadata"},
		{"run " + agent + " --timeout soon", "--timeout"},
		{"run " + agent + " --timeout -1s", "positive"},
		{"run " + agent + " --deadline 10ms", "positive"},
		{"run " + agent + " --detach --timeout 1s", "detach"},
		{"run " + agent + " --queue --file data:,x", "--queue"},
		{"run " + agent + " --agent-version -1", "version"},
		{"run " + agent + " --agent-version 1 --head", "head"},
		{"run " + agent + " --agent-profile a --agent-profile-pool b", "agentProfile"},
		{"run " + agent + " --file %%%://x", "URI"},
		{"list --limit 0", "--limit"},
		{"list extra", "unknown command"},
		{"show", "accepts 1 arg"},
		{"result x --timeout 1s", "--wait"},
		{"cancel x --timeout 0s", "positive"},
		{"message x", "accepts 2 arg"},
		{"message x -", "empty"},
		{"answer", "accepts 1 arg"},
		{"files save x", "--to is missing"},
		{"files save x --to y --timeout 0s", "positive"},
		{"--profile nobody show x", "nobody"},
	} {
		got := command(t.Context(), strings.NewReader(""), append([]string{"--address", nowhere}, strings.Fields(row.line)...)...)
		require.Equal(t, exitUsage, got.code, "%s: %s", row.line, got.stderr)
		require.Equal(t, 1, strings.Count(got.stderr, "\n"), got.stderr)
		require.Contains(t, got.stderr, row.said, row.line)
		require.Empty(t, got.stdout)
	}
}

func TestCommandsSayThatNoServerAnswers(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	got := command(t.Context(), strings.NewReader(""), "--address", address, "list")
	refused(t, got, exitFailed, "no Temporal service answers at "+address)
	got = command(t.Context(), strings.NewReader(""), "--address", address, "doctor")
	refused(t, got, exitFailed, "1 of ")
	require.Contains(t, got.stdout, "no Temporal service answers")
}

func TestHelpDocumentsExitCodes(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"--help", "run --help", "answer --help", "files save --help", "doctor --help"} {
		got := command(t.Context(), strings.NewReader(""), strings.Fields(line)...)
		require.Zero(t, got.code)
		require.Contains(t, got.stdout, exitCodes)
	}
	got := command(t.Context(), strings.NewReader(""), "completion", "bash")
	require.Zero(t, got.code)
	require.Contains(t, got.stdout, "asteroid")
}

func TestDoctorChecksConnectionOfEnvironment(t *testing.T) {
	api := testsuite.NewAPI(t)
	t.Setenv("ASTEROID_BASE_URL", api.BaseURL())
	for key, result := range map[string]string{"": checkSkipped, "wrong-key-of-somebody": checkFailed, api.APIKey(): checkOK} {
		t.Setenv("ASTEROID_API_KEY", key)
		got := command(t.Context(), strings.NewReader(""), "--address", nowhere, "doctor", "--json")
		require.Equal(t, exitFailed, got.code)
		checks := decoded[[]check](t, got.stdout)
		i := slices.IndexFunc(checks, func(c check) bool { return c.Check == "environment" })
		require.Equal(t, result, checks[i].Result, checks[i].Found)
		require.NotContains(t, got.stdout, "wrong-key-of-somebody")
	}
}

func TestReadmeNamesCommandsThatExist(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	lines := regexp.MustCompile(`(?m)^\./asteroid (.+)$`).FindAllStringSubmatch(string(readme), -1)
	require.NotEmpty(t, lines)
	for _, line := range lines {
		command, args, err := newRootCommand(&cli{}).Find(strings.Fields(line[1]))
		require.NoError(t, err, line[0])
		require.NotEqual(t, "asteroid", command.Name(), line[0])
		if err := command.ParseFlags(args); !errors.Is(err, pflag.ErrHelp) {
			require.NoError(t, err, line[0])
		}
	}
}
