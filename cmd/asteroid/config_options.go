package main

import (
	"cmp"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/cmd/internal/jsonschema"
	"github.com/temporal-asteroid/asteroid/worker"
)

// options returns the plugin's options without Stores. It reads the webhook secrets, but no API
// key.
func (c *workerConfig) options() (options worker.Options, err error) {
	options = worker.Options{
		FileRoots:            c.FileRoots,
		OutputRoots:          c.OutputRoots,
		MaxUploadBytes:       c.MaxUploadBytes,
		SettleInterval:       time.Duration(c.SettleInterval),
		LookupGrace:          time.Duration(c.LookupGrace),
		Events:               asteroid.Events(c.Events),
		SearchAttributes:     asteroid.DefaultSearchAttributes(),
		MaxInlineResultBytes: c.MaxInlineResultBytes,
		WatchRound:           time.Duration(c.WatchRound),
		RequestTimeout:       time.Duration(c.RequestTimeout),
		SchemaChecker:        jsonschema.Check,
		Limits:               asteroid.RunLimits{PerProfile: c.Limits.PerProfile},
	}
	for _, limit := range c.Limits.All {
		options.Limits.All = append(options.Limits.All, asteroid.Limit(limit))
	}
	if c.SearchAttributes != nil {
		options.SearchAttributes = asteroid.SearchAttributes(*c.SearchAttributes)
	}
	if options.Connections, err = c.connections(); err != nil {
		return options, err
	}
	if options.HTTPS, err = c.HTTPS.options(); err != nil {
		return options, fmt.Errorf("https: %w", err)
	}
	options.WebhookSecrets, err = readSecrets("webhookSecrets", c.WebhookSecrets)
	return options, err
}

// connections returns the connections of the file, or the one that the environment describes if the
// file has none.
func (c *workerConfig) connections() (map[string]asteroid.Connection, error) {
	if len(c.Connections) == 0 {
		return map[string]asteroid.Connection{asteroid.DefaultConnection: asteroid.ConnectionFromEnv()}, nil
	}
	connections := map[string]asteroid.Connection{}
	for _, name := range slices.Sorted(maps.Keys(c.Connections)) {
		settings := c.Connections[name]
		key := secretSource{settings.APIKeyEnv, settings.APIKeyFile}
		if err := key.check("apiKeyEnv", "apiKeyFile"); err != nil {
			return nil, fmt.Errorf("connections.%s: %w", name, err)
		}
		connections[name] = asteroid.Connection{
			APIKey:         key.apiKey,
			OrganizationID: settings.OrganizationID,
			BaseURL:        settings.BaseURL,
			Dialect:        asteroid.Dialect(settings.Dialect),
		}
	}
	return connections, nil
}

func (c *httpsConfig) options() (asteroid.HTTPSOptions, error) {
	options := asteroid.HTTPSOptions{Disabled: c.Disabled, Hosts: c.Hosts, MaxBytes: c.MaxBytes, Timeout: time.Duration(c.Timeout)}
	for i, text := range c.Networks {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return options, fmt.Errorf("networks[%d] %q is not a network: write one such as 10.20.0.0/16", i, text)
		}
		options.Networks = append(options.Networks, network)
	}
	if c.RootCAFile != "" {
		certificates, err := os.ReadFile(c.RootCAFile)
		if err != nil {
			return options, fmt.Errorf("rootCAFile: %w", err)
		}
		options.RootCAs = x509.NewCertPool()
		if !options.RootCAs.AppendCertsFromPEM(certificates) {
			return options, fmt.Errorf("rootCAFile %s holds no certificate in PEM", c.RootCAFile)
		}
	}
	return options, nil
}

// defaultWebhookPath is the path of the webhooks where the configuration has none.
const defaultWebhookPath = "/webhooks"

// options returns the options of the webhook handler without Clients, Metrics and Logger.
func (c *webhookConfig) options(secrets []string) (options worker.WebhookOptions, err error) {
	options = worker.WebhookOptions{
		Secrets:             secrets,
		Tokens:              worker.WebhookTokens(c.Tokens),
		MaxSignalsPerMinute: c.MaxSignalsPerMinute,
		MaxBodyBytes:        c.MaxBodyBytes,
		MaxAge:              time.Duration(c.MaxAge),
		SignalTimeout:       time.Duration(c.SignalTimeout),
	}
	switch {
	case c.Listen == "":
		return options, errors.New("listen is missing: set the address that Asteroid's webhooks reach, such as 0.0.0.0:8443")
	case c.Path != "" && (!strings.HasPrefix(c.Path, "/") || strings.ContainsAny(c.Path, "{}? ")):
		return options, fmt.Errorf("path %q is not a path: write one such as /webhooks", c.Path)
	case len(c.PublicKeyFiles) == 0:
		return options, errors.New("publicKeyFiles is missing: copy the key from Asteroid's webhooks page into a file and name that")
	}
	for _, path := range c.PublicKeyFiles {
		key, err := readPublicKey(path)
		if err != nil {
			return options, fmt.Errorf("publicKeyFiles: %s: %w", path, err)
		}
		options.PublicKeys = append(options.PublicKeys, key)
	}
	for name, sources := range c.RequiredHeaders {
		values, err := readSecrets("requiredHeaders."+name, sources)
		if err != nil {
			return options, err
		}
		if options.RequiredHeaders == nil {
			options.RequiredHeaders = http.Header{}
		}
		options.RequiredHeaders[http.CanonicalHeaderKey(name)] = values
	}
	return options, nil
}

func readPublicKey(path string) (*rsa.PublicKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return worker.ParseWebhookPublicKey(string(text))
}

var behaviors = map[string]workflow.VersioningBehavior{
	"":            workflow.VersioningBehaviorPinned,
	"pinned":      workflow.VersioningBehaviorPinned,
	"autoUpgrade": workflow.VersioningBehaviorAutoUpgrade,
}

// pluginOptions returns what concerns the plugin's workflows.
func (c *workerConfig) pluginOptions() (options []worker.PluginOption, err error) {
	behavior, ok := behaviors[c.Versioning.Behavior]
	if !ok {
		return nil, fmt.Errorf("versioning.behavior is %q: must be pinned or autoUpgrade", c.Versioning.Behavior)
	}
	options = append(options, worker.WithVersioningBehavior(behavior))
	if c.RetryableErrors {
		options = append(options, worker.WithRetryableErrors())
	}
	return options, nil
}

// defaultStopTimeout leaves time for the rest of the stop within the 30 seconds that Kubernetes
// waits before it kills.
const defaultStopTimeout = 20 * time.Second

// maxTaskQueue is the longest name of a task queue in bytes that a Temporal server takes.
const maxTaskQueue = 1000

// workerOptions returns the options of the Temporal worker without Plugins.
func (c *workerConfig) workerOptions() (sdkworker.Options, error) {
	deployment, buildID := c.Versioning.DeploymentName, c.Versioning.BuildID
	options := sdkworker.Options{
		MaxConcurrentActivityExecutionSize:     c.Slots.Activities,
		MaxConcurrentWorkflowTaskExecutionSize: c.Slots.WorkflowTasks,
		WorkerActivitiesPerSecond:              c.Slots.ActivitiesPerSecond,
		TaskQueueActivitiesPerSecond:           c.Slots.TaskQueueActivitiesPerSecond,
		WorkerStopTimeout:                      cmp.Or(time.Duration(c.StopTimeout), defaultStopTimeout),
		DeploymentOptions: sdkworker.DeploymentOptions{
			UseVersioning:             deployment != "",
			Version:                   sdkworker.WorkerDeploymentVersion{DeploymentName: deployment, BuildID: buildID},
			DefaultVersioningBehavior: behaviors[c.Versioning.Behavior],
		},
	}
	if deployment == "" {
		options.DeploymentOptions = sdkworker.DeploymentOptions{}
	}
	switch watches := c.Events == "" || c.Events == string(asteroid.EventsWatch); {
	case (deployment == "") != (buildID == ""):
		return options, errors.New("versioning needs both a deployment name and a build id: set both, or none")
	case strings.ContainsAny(deployment, ".:"):
		return options, fmt.Errorf("the deployment name %q has a . or a :, which Temporal refuses: leave them out", deployment)
	case len(c.TaskQueue) > maxTaskQueue || strings.HasPrefix(c.TaskQueue, "/_sys/"):
		return options, errors.New("taskQueue has more than 1000 bytes or begins with /_sys/, which Temporal refuses: give another name")
	case c.StopTimeout < 0 || c.CheckInterval < 0:
		return options, errors.New("stopTimeout and checkInterval must not be negative")
	case c.Slots.Activities < 0 || c.Slots.WorkflowTasks < 0 || c.Slots.ActivitiesPerSecond < 0 || c.Slots.TaskQueueActivitiesPerSecond < 0:
		return options, errors.New("slots must not have negative numbers; 0 means the default")
	case c.Slots.WorkflowTasks == 1: // the SDK panics
		return options, errors.New("slots.workflowTasks must be at least 2: one serves the tasks of cached workflows")
	case watches && c.Slots.Activities == 1:
		return options, errors.New("slots.activities must be at least 2, because the watch takes one: raise it, or set events to poll or webhooks")
	}
	return options, nil
}
