package main

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/temporal-asteroid/asteroid"
)

// pastedKey stands for a key in the wrong place. No error may repeat it.
const pastedKey = "sk-live-0123456789abcdef0123456789abcdef"

func TestParseConfigRefusesMistakes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, want string }{
		"unknown field":           {"taskqueue: a", "line 1: taskqueue is unknown here; known are taskQueue, listen, "},
		"unknown nested field":    {"connections:\n  default:\n    apiKeyVar: A", "line 3: apiKeyVar is unknown here; known are apiKeyEnv, apiKeyFile, organizationId, baseUrl, dialect"},
		"inline key":              {"connections:\n  default:\n    apiKey: " + pastedKey, "line 3: a key does not belong in the file: put it into an environment variable or a file of its own, and name that in apiKeyEnv or apiKeyFile of a connection"},
		"inline key, other name":  {"connections: {default: {api_key: " + pastedKey + "}}", "a key does not belong in the file"},
		"inline key, at the top":  {"apiKey: " + pastedKey, "line 1: a key does not belong in the file"},
		"inline token":            {"connections: {default: {Authorization: Bearer " + pastedKey + "}}", "line 1: a key does not belong in the file"},
		"key as connection":       {"connections:\n  default: " + pastedKey, "line 2: must be a mapping with apiKeyEnv, apiKeyFile, organizationId, baseUrl, dialect"},
		"key as list":             {"connections:\n  - " + pastedKey, "line 2: must be a mapping of names"},
		"key as field":            {"connections: {default: {" + pastedKey + "}}", "line 1: a field is unknown here; known are apiKeyEnv"},
		"inline secret":           {"webhookSecrets:\n  - " + pastedKey, "line 2: must be a mapping with env, file"},
		"inline secret, named":    {"webhookSecrets:\n  - secret: " + pastedKey, "line 2: a secret does not belong in the file: put it into an environment variable or a file of its own, and name that in env or file"},
		"secret for list":         {"webhookSecrets: " + pastedKey, "line 1: must be a list"},
		"header for list":         {"webhooks:\n  requiredHeaders:\n    X-Password: " + pastedKey, "line 3: must be a list"},
		"headers for mapping":     {"webhooks:\n  requiredHeaders: " + pastedKey, "line 2: must be a mapping of names"},
		"key as alias":            {"connections: {default: {apiKeyEnv: *" + pastedKey + "}}", "no valid YAML: unknown anchor ... referenced"},
		"key as tag":              {"connections: {default: {apiKeyEnv: !" + pastedKey + " x}}", ""},
		"list for text":           {"taskQueue: [a]", "line 1: must be one text"},
		"text for number":         {"slots: {activities: many}", "line 1: must be a whole number"},
		"text for rate":           {"slots: {activitiesPerSecond: fast}", "line 1: must be a number"},
		"text for truth":          {"retryableErrors: maybe", "line 1: must be true or false"},
		"text for list":           {"fileRoots: /srv", "line 1: must be a list"},
		"duration without unit":   {"stopTimeout: 20", "line 1: must be a duration with its unit, such as 20s or 5m"},
		"duration as list":        {"stopTimeout: [20s]", "line 1: must be a duration with its unit, such as 20s or 5m"},
		"duration in days":        {"webhooks: {maxAge: 2d}", "line 1: must be a duration with its unit, such as 20s or 5m"},
		"given twice":             {"listen: a\nlisten: b", "line 2: the same name stands above; write it once"},
		"two documents":           {"listen: a\n---\nlisten: b", "a second document begins after ---; write one document"},
		"no YAML":                 {"listen: [a", "no valid YAML: line 1: "},
		"tabs":                    {"slots:\n\tactivities: 2", "no valid YAML: line 2: "},
		"text":                    {pastedKey, "line 1: must be a mapping with taskQueue, "},
		"two mistakes at once":    {"taskqueue: a\nstopTimeout: 5", "line 1: taskqueue is unknown here; known are "},
		"two mistakes at once, 2": {"taskqueue: a\nstopTimeout: 5", "; line 2: must be a duration"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := parseConfig([]byte(test.text), new(workerConfig))
			if test.want == "" { // a tag is ignored
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), pastedKey[:10])
			require.NotContains(t, err.Error(), "main.")
			require.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestParseConfigAcceptsEmptyFile(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "# nothing\n", "---\n", "connections:\nwebhooks:\nslots:\n"} {
		var config workerConfig
		require.NoError(t, parseConfig([]byte(text), &config))
		require.Empty(t, config)
	}
}

func TestParseConfigAcceptsAnchors(t *testing.T) {
	t.Parallel()
	var config workerConfig
	require.NoError(t, parseConfig([]byte("connections:\n  a: &a {apiKeyEnv: A, dialect: workflows}\n  b: {<<: *a, apiKeyEnv: B}\n"), &config))
	require.Equal(t, map[string]connectionConfig{
		"a": {APIKeyEnv: "A", Dialect: "workflows"}, "b": {APIKeyEnv: "B", Dialect: "workflows"},
	}, config.Connections)
}

func TestExampleConfigShowsEveryField(t *testing.T) {
	t.Parallel()
	require.NoError(t, parseConfig([]byte(exampleConfig), new(workerConfig)))
	var document yaml.Node
	require.NoError(t, yaml.Unmarshal([]byte(exampleConfig), &document))
	shown := map[string]bool{}
	var walk func(node *yaml.Node)
	walk = func(node *yaml.Node) {
		for i, child := range node.Content {
			if node.Kind == yaml.MappingNode && i%2 == 0 {
				shown[child.Value] = true
			}
			walk(child)
		}
	}
	walk(&document)
	for _, fields := range configFields {
		for _, field := range fields {
			require.True(t, shown[field], field)
		}
	}
}

// fullConfig sets every option. DIR is a directory with the files.
const fullConfig = `
connections:
  default: {apiKeyEnv: CONFIG_TEST_KEY, organizationId: org, baseUrl: "https://example.com", dialect: workflows}
requestTimeout: 1s
lookupGrace: 1s
fileRoots: [DIR]
outputRoots: [DIR]
https: {disabled: true, hosts: [a.example], networks: [10.0.0.0/8], rootCAFile: DIR/ca.pem, maxBytes: 1, timeout: 1s}
maxUploadBytes: 1
maxInlineResultBytes: 1
settleInterval: 1s
events: poll
watchRound: 1m
webhookSecrets: [{file: DIR/secret}]
webhooks:
  listen: 127.0.0.1:0
  publicKeyFiles: [DIR/webhook.pem]
  tokens: observe
  requiredHeaders: {x-password: [{file: DIR/secret}]}
  maxSignalsPerMinute: 1
  maxBodyBytes: 1
  maxAge: 1h
  signalTimeout: 1s
searchAttributes: {agent: A, status: B, question: C, progress: D}
limits: {perProfile: 1, all: [{key: k, max: 2, fairnessKey: f}]}
`

// configFiles returns a directory with the files that fullConfig names.
func configFiles(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"secret": strings.Repeat("s", 40) + "\n", "webhook.pem": testPublicKey(), "ca.pem": testCertificate(1),
		"empty": " \n", "short": "sk-live-short", "large": strings.Repeat("k", maxSecretBytes+1),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

func TestConfigReachesEveryOption(t *testing.T) {
	t.Parallel()
	var config workerConfig
	require.NoError(t, parseConfig([]byte(strings.ReplaceAll(fullConfig, "DIR", configFiles(t))), &config))
	options, err := config.options()
	require.NoError(t, err)
	webhooks, err := config.Webhooks.options(options.WebhookSecrets)
	require.NoError(t, err)
	requireAllSet(t, options, "Stores", "Now")
	requireAllSet(t, options.HTTPS)
	requireAllSet(t, options.SearchAttributes)
	requireAllSet(t, options.Limits)
	requireAllSet(t, options.Limits.All[0])
	requireAllSet(t, options.Connections["default"], "Transport")
	requireAllSet(t, webhooks, "Clients", "Metrics", "Logger", "Now")
	require.Equal(t, []string{strings.Repeat("s", 40)}, options.WebhookSecrets)
	require.Equal(t, []string{strings.Repeat("s", 40)}, webhooks.RequiredHeaders.Values("X-Password"))
}

// requireAllSet requires that each field of a struct is set, except those that no operator sets.
func requireAllSet(t *testing.T, options any, except ...string) {
	t.Helper()
	for field, value := range reflect.ValueOf(options).Fields() {
		if !slices.Contains(except, field.Name) {
			require.False(t, value.IsZero(), "%T.%s: the configuration cannot set it", options, field.Name)
		}
	}
}

func TestConfigRefusesImpossibleOptions(t *testing.T) {
	dir := configFiles(t)
	t.Setenv("CONFIG_TEST_KEY", pastedKey)
	for name, test := range map[string]struct{ text, want string }{
		"connection without key": {"connections: {a: {baseUrl: b}}", "connections.a: set apiKeyEnv or apiKeyFile"},
		"null connection":        {"connections: {a: }", "connections.a: set apiKeyEnv or apiKeyFile"},
		"two keys":               {"connections: {a: {apiKeyEnv: A, apiKeyFile: /b}}", "connections.a: both apiKeyEnv and apiKeyFile are set: keep one"},
		"key as variable":        {"connections: {a: {apiKeyEnv: " + pastedKey + "}}", "connections.a: apiKeyEnv is not the name of an environment variable: write a name such as ASTEROID_API_KEY, not what it holds"},
		"key as file":            {"connections: {a: {apiKeyFile: " + pastedKey + "}}", "connections.a: apiKeyFile is not an absolute path: write one such as /run/secrets/asteroid, not what the file holds"},
		"empty connection name":  {"connections: {'': {apiKeyEnv: A}}", `a connection has an empty name: call it "default"`},
		"dialect":                {"connections: {a: {apiKeyEnv: A, dialect: b}}", `connection "a": dialect "b" is neither "agents" nor "workflows"`},
		"base URL":               {"connections: {a: {apiKeyEnv: A, baseUrl: b}}", `connection "a": baseUrl "b" is not an http or https address`},
		"organization":           {"connections: {a: {apiKeyEnv: A, organizationId: b/c}}", `connection "a": organizationId "b/c" is not an id`},
		"relative root":          {"fileRoots: [a]", `fileRoots[0] "a" is not an absolute path`},
		"missing root":           {"outputRoots: [DIR/none]", `outputRoots[0]: stat DIR/none: no such file or directory`},
		"bucket":                 {"buckets: [a]", "bucket 1 has none of the schemes"},
		"network":                {"https: {networks: [a]}", `https: networks[0] "a" is not a network: write one such as 10.20.0.0/16`},
		"host":                   {"https: {hosts: ['https://a']}", `https.hosts[0] "https://a" is not a host`},
		"certificates":           {"https: {rootCAFile: DIR/secret}", `https: rootCAFile DIR/secret holds no certificate in PEM`},
		"missing certificates":   {"https: {rootCAFile: DIR/none}", `https: rootCAFile: open DIR/none: no such file or directory`},
		"events":                 {"events: push", `events is "push": must be "watch", "webhooks" or "poll"`},
		"watch round":            {"watchRound: 1s", `watchRound is 1s: must be between a minute and an hour`},
		"inline result":          {"maxInlineResultBytes: -1", `maxInlineResultBytes is -1: must be`},
		"negative time":          {"lookupGrace: -1s", `lookupGrace, requestTimeout and settleInterval must not be negative`},
		"negative stop timeout":  {"stopTimeout: -1s", `stopTimeout and checkInterval must not be negative`},
		"negative slots":         {"slots: {activities: -1}", `slots must not have negative numbers`},
		"one slot":               {"slots: {activities: 1}", `slots.activities must be at least 2, because the watch takes one`},
		"one workflow task":      {"slots: {workflowTasks: 1}", `slots.workflowTasks must be at least 2`},
		"equal attributes":       {"searchAttributes: {agent: a, status: a}", `searchAttributes: two have the same name`},
		"half a version":         {"versioning: {buildId: a}", `versioning needs both a deployment name and a build id`},
		"deployment name":        {"versioning: {deploymentName: a.b, buildId: c}", `the deployment name "a.b" has a . or a :, which Temporal refuses`},
		"task queue":             {"taskQueue: /_sys/a", `taskQueue has more than 1000 bytes or begins with /_sys/`},
		"behavior":               {"versioning: {behavior: a}", `versioning.behavior is "a": must be pinned or autoUpgrade`},
		"log level":              {"logLevel: loud", `the log level is "loud": must be debug, info, warn or error`},
		"secret as variable":     {"webhookSecrets: [{env: " + pastedKey + "}]", `webhookSecrets[0]: env is not the name of an environment variable`},
		"secret in no variable":  {"webhookSecrets: [{env: CONFIG_TEST_NONE}]", `webhookSecrets[0]: environment variable CONFIG_TEST_NONE is empty or not set`},
		"key like a variable":    {"webhookSecrets: [{env: sk0123456789abcdef0123456789abcdef}]", `webhookSecrets[0]: the environment variable that the configuration names is empty or not set`},
		"missing secret":         {"webhookSecrets: [{file: DIR/none}]", `webhookSecrets[0]: stat DIR/none: no such file or directory`},
		"empty secret":           {"webhookSecrets: [{file: DIR/empty}]", `webhookSecrets[0]: DIR/empty is empty: put the secret there`},
		"large secret":           {"webhookSecrets: [{file: DIR/large}]", `webhookSecrets[0]: DIR/large has more than 64 KiB`},
		"secret in a directory":  {"webhookSecrets: [{file: DIR}]", `webhookSecrets[0]: DIR is not a regular file`},
		"secret in a device":     {"webhookSecrets: [{file: /dev/zero}]", `webhookSecrets[0]: /dev/zero is not a regular file`},
		"short secret":           {"webhookSecrets: [{env: PATH_OF_NOTHING}, {file: DIR/secret}]", `webhookSecrets[0]: environment variable PATH_OF_NOTHING is empty`},
		"secret of few bytes":    {"webhookSecrets: [{file: DIR/short}]", `webhook secret 1 of 1 has less than 32 bytes`},
		"no webhook address":     {"webhooks: {publicKeyFiles: [DIR/webhook.pem]}", `webhooks: listen is missing`},
		"no webhook key":         {"webhooks: {listen: ':0'}", `webhooks: publicKeyFiles is missing`},
		"wrong webhook key":      {"webhooks: {listen: ':0', publicKeyFiles: [DIR/ca.pem]}", `webhooks: publicKeyFiles: DIR/ca.pem: `},
		"webhook path":           {"webhooks: {listen: ':0', path: hooks, publicKeyFiles: [DIR/webhook.pem]}", `webhooks: path "hooks" is not a path`},
		"half of TLS":            {"webhooks: {listen: ':0', tlsCertFile: a, publicKeyFiles: [DIR/webhook.pem]}", `webhooks: only one of tlsCertFile and tlsKeyFile is set`},
		"wrong TLS":              {"webhooks: {listen: ':0', tlsCertFile: DIR/ca.pem, tlsKeyFile: DIR/secret, publicKeyFiles: [DIR/webhook.pem]}", `webhooks: tlsCertFile and tlsKeyFile: tls: `},
		"tokens without secrets": {"webhooks: {listen: ':0', tokens: require, publicKeyFiles: [DIR/webhook.pem]}", `webhooks: tokens are required, but there are no Secrets`},
		"header without values":  {"webhooks: {listen: ':0', requiredHeaders: {a: []}, publicKeyFiles: [DIR/webhook.pem]}", `requiredHeaders has an empty name or value`},
		"one address":            {"listen: ':1'\nwebhooks: {listen: ':1', publicKeyFiles: [DIR/webhook.pem]}", `listen and webhooks.listen are the same address`},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "worker.yaml")
			require.NoError(t, os.WriteFile(path, []byte(strings.ReplaceAll(test.text, "DIR", dir)), 0o600))
			var out, problems strings.Builder
			code := run(t.Context(), []string{"worker", "--config", path}, nil, &out, &problems)
			require.Equal(t, exitUsage, code, problems.String())
			require.Contains(t, problems.String(), "asteroid: ")
			lines := strings.Split(strings.TrimSpace(problems.String()), "\n")
			require.Contains(t, lines[len(lines)-1], strings.ReplaceAll(test.want, "DIR", dir))
			require.NotContains(t, problems.String(), "sk-live")
			require.NotContains(t, problems.String(), "sk0123")
			require.Empty(t, out.String())
		})
	}
}

func TestReadConfigRefusesFilesThatAreNone(t *testing.T) {
	t.Parallel()
	large := filepath.Join(t.TempDir(), "large")
	require.NoError(t, os.WriteFile(large, make([]byte, maxConfigBytes+1), 0o600))
	for path, want := range map[string]string{
		large:         "the file has more than 1 MiB; is it the right one?",
		t.TempDir():   "is a directory",
		large + ".no": "no such file or directory",
	} {
		_, err := readConfig(path)
		require.ErrorContains(t, err, want)
		require.Equal(t, exitUsage, codeOf(t.Context(), err))
	}
}

func TestWorkerFlagsOverrideFile(t *testing.T) {
	t.Setenv("TEMPORAL_DEPLOYMENT_NAME", "of the environment")
	t.Setenv("TEMPORAL_WORKER_BUILD_ID", "of the environment")
	path := filepath.Join(t.TempDir(), "worker.yaml")
	require.NoError(t, os.WriteFile(path, []byte("taskQueue: file\nlisten: file\nversioning: {buildId: file}"), 0o600))
	load := func(args ...string) workerConfig {
		var flags workerFlags
		set := pflag.NewFlagSet("worker", pflag.ContinueOnError)
		flags.add(set)
		require.NoError(t, set.Parse(args))
		config, err := flags.load(set)
		require.NoError(t, err)
		return config
	}
	require.Equal(t, "asteroid", load().TaskQueue)
	require.Equal(t, "file", load("--config", path).TaskQueue)
	config := load("--config", path, "--task-queue", "flag", "--stop-timeout", "7s", "--file-root", "a,b", "--file-root", "/c", "--max-activities", "3")
	require.Equal(t, "flag", config.TaskQueue)
	require.Equal(t, "file", config.Listen)
	require.Equal(t, "file", config.Versioning.BuildID)
	require.Equal(t, "of the environment", config.Versioning.DeploymentName)
	require.Equal(t, span(7*time.Second), config.StopTimeout)
	here, err := os.Getwd()
	require.NoError(t, err)
	require.Equal(t, []string{filepath.Join(here, "a,b"), "/c"}, config.FileRoots)
	require.Equal(t, 3, config.Slots.Activities)
}

func TestConfigWithoutConnectionsUsesEnvironment(t *testing.T) {
	t.Setenv("ASTEROID_API_KEY", pastedKey)
	t.Setenv("ASTEROID_BASE_URL", "https://example.com")
	options, err := (&workerConfig{}).options()
	require.NoError(t, err)
	require.Equal(t, []string{asteroid.DefaultConnection}, slices.Collect(maps.Keys(options.Connections)))
	connection := options.Connections[asteroid.DefaultConnection]
	require.Equal(t, "https://example.com", connection.BaseURL)
	key, err := connection.APIKey(t.Context())
	require.NoError(t, err)
	require.Equal(t, pastedKey, key)
	require.Equal(t, asteroid.DefaultSearchAttributes(), options.SearchAttributes)
}

func TestSecretSourceReadsReplacedKey(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	source := secretSource{File: path}
	for _, key := range []string{"first-key", "second-key"} {
		require.NoError(t, os.WriteFile(path, []byte(key+"\n"), 0o600))
		read, err := source.apiKey(t.Context())
		require.NoError(t, err)
		require.Equal(t, key, read)
	}
	require.NoError(t, os.Remove(path))
	_, err := source.apiKey(t.Context())
	require.ErrorIs(t, err, os.ErrNotExist)
}
