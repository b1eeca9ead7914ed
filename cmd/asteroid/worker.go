package main

import (
	"cmp"
	_ "embed"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

//go:embed worker.example.yaml
var exampleConfig string

const workerHelp = `Serve agents: run the activities and workflows of a task queue until interrupted.

Without --config, the environment describes the connection "default" to Asteroid: ASTEROID_API_KEY,
and if needed ASTEROID_ORGANIZATION_ID, ASTEROID_BASE_URL and ASTEROID_DIALECT. A flag overrides the
field of the file. The log is JSON on the standard error output.

SIGTERM or Ctrl-C stops the worker gracefully. Activities that do not end within --stop-timeout
run again on another worker. Nothing is lost, and no agent is cancelled.

--listen serves /healthz (200 while the process is alive), /readyz (200 while Temporal and every
connection answer, else 503 and the reasons) and /metrics for Prometheus.

` + exitCodes + `

A configuration file with every field, its default or an example:

`

// workerFlags are the flags of the worker. config holds those that override fields of the file.
type workerFlags struct {
	file        string
	check       bool
	config      workerConfig
	stopTimeout time.Duration
}

func (c *cli) newWorkerCommand() *cobra.Command {
	var flags workerFlags
	command := &cobra.Command{
		Use:   "worker",
		Short: "Serve agents: run the worker of a task queue",
		Long:  workerHelp + exampleConfig,
		Example: `  ASTEROID_API_KEY=... asteroid worker --task-queue claims
  asteroid worker --config /etc/asteroid/worker.yaml --listen 0.0.0.0:9464
  asteroid worker --config /etc/asteroid/worker.yaml --check`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(command *cobra.Command, _ []string) error {
			config, err := flags.load(command.Flags())
			if err != nil {
				return err
			}
			temporal, err := c.temporal.options()
			if err != nil {
				return err
			}
			run, err := newWorkerRun(command.Context(), config, temporal, c.err)
			if err != nil {
				return err
			}
			defer run.close()
			if flags.check {
				return run.reportCheck(command.Context(), c)
			}
			return run.serve(command.Context(), func() error { return nil })
		},
	}
	flags.add(command.Flags())
	return command
}

func (f *workerFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.file, "config", "", "read this YAML `file`")
	flags.BoolVar(&f.check, "check", false, "check the configuration, Temporal and every connection, and exit")
	flags.StringVar(&f.config.TaskQueue, "task-queue", defaultTaskQueue, "serve this task `queue`")
	flags.StringVar(&f.config.Listen, "listen", "", "serve /healthz, /readyz and /metrics on this `host:port`")
	flags.StringVar(&f.config.LogLevel, "log-level", "info", "debug, info, warn or error")
	flags.DurationVar(&f.stopTimeout, "stop-timeout", defaultStopTimeout, "how long activities may go on after SIGTERM")
	flags.StringVar(&f.config.Events, "events", "watch", "how workflows learn of changes: watch, webhooks or poll")
	flags.StringArrayVar(&f.config.FileRoots, "file-root", nil, "a `directory` that file: references may read; repeat it for more")
	flags.StringArrayVar(&f.config.OutputRoots, "output-root", nil, "a `directory` below which files may be saved; repeat it for more")
	flags.StringArrayVar(&f.config.Buckets, "bucket", nil, "a bucket that references may name, such as `s3://claims?region=eu-central-1`; repeat it for more")
	flags.StringVar(&f.config.Versioning.DeploymentName, "deployment-name", "", "the worker deployment (default: TEMPORAL_DEPLOYMENT_NAME)")
	flags.StringVar(&f.config.Versioning.BuildID, "build-id", "", "the build id of this worker version (default: TEMPORAL_WORKER_BUILD_ID)")
	flags.IntVar(&f.config.Slots.Activities, "max-activities", 0, "how many activities run at once (default: the SDK's, 1000)")
}

// defaultTaskQueue is the task queue of the worker, and of the commands that start workflows.
const defaultTaskQueue = "asteroid"

// load returns the configuration of the file, the flags and the environment, in falling order of
// precedence: flags, file, environment, default.
func (f *workerFlags) load(flags *pflag.FlagSet) (config workerConfig, err error) {
	if f.file != "" {
		if config, err = readConfig(f.file); err != nil {
			return config, err
		}
	}
	for name, override := range map[string]func(){
		"task-queue":      func() { config.TaskQueue = f.config.TaskQueue },
		"listen":          func() { config.Listen = f.config.Listen },
		"log-level":       func() { config.LogLevel = f.config.LogLevel },
		"stop-timeout":    func() { config.StopTimeout = span(f.stopTimeout) },
		"events":          func() { config.Events = f.config.Events },
		"file-root":       func() { config.FileRoots = absolute(f.config.FileRoots) },
		"output-root":     func() { config.OutputRoots = absolute(f.config.OutputRoots) },
		"bucket":          func() { config.Buckets = f.config.Buckets },
		"deployment-name": func() { config.Versioning.DeploymentName = f.config.Versioning.DeploymentName },
		"build-id":        func() { config.Versioning.BuildID = f.config.Versioning.BuildID },
		"max-activities":  func() { config.Slots.Activities = f.config.Slots.Activities },
	} {
		if flags.Changed(name) {
			override()
		}
	}
	config.TaskQueue = cmp.Or(config.TaskQueue, defaultTaskQueue)
	config.Versioning.DeploymentName = cmp.Or(config.Versioning.DeploymentName, os.Getenv("TEMPORAL_DEPLOYMENT_NAME"))
	config.Versioning.BuildID = cmp.Or(config.Versioning.BuildID, os.Getenv("TEMPORAL_WORKER_BUILD_ID"))
	return config, nil
}

// absolute makes the paths of a command line absolute. Those of a file have to be.
func absolute(paths []string) []string {
	var all []string
	for _, path := range paths {
		if whole, err := filepath.Abs(path); err == nil {
			path = whole
		}
		all = append(all, path)
	}
	return all
}
