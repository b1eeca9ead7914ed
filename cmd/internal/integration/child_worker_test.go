package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	sdkworker "go.temporal.io/sdk/worker"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// childEnv holds the settings of a worker in a child process. If it is set, the test binary runs as
// that worker.
const childEnv = "ASTEROID_INTEGRATION_WORKER"

type childWorker struct {
	Temporal, Queue, BaseURL, APIKey, Files, Outputs string
	LookupGrace                                      time.Duration
}

// childWorkerMain runs a worker until the process is killed.
func childWorkerMain(settings string) error {
	var c childWorker
	if err := json.Unmarshal([]byte(settings), &c); err != nil {
		return err
	}
	temporal, err := client.Dial(client.Options{HostPort: c.Temporal})
	if err != nil {
		return err
	}
	plugin, err := worker.NewPlugin(worker.Options{
		Connections: map[string]asteroid.Connection{"default": {APIKey: asteroid.StaticAPIKey(c.APIKey), BaseURL: c.BaseURL}},
		FileRoots:   []string{c.Files},
		OutputRoots: []string{c.Outputs},
		LookupGrace: c.LookupGrace,
	})
	if err != nil {
		return err
	}
	return sdkworker.New(temporal, c.Queue, sdkworker.Options{Plugins: []sdkworker.Plugin{plugin}}).Run(nil)
}

// startChildWorker starts a worker in a process that the test can kill.
func (s *stack) startChildWorker() *exec.Cmd {
	s.t.Helper()
	connection := s.options.Connections[asteroid.DefaultConnection]
	settings, err := json.Marshal(childWorker{
		Temporal: server.HostPort(), Queue: s.queue, BaseURL: connection.BaseURL, APIKey: s.api.APIKey(),
		Files: s.options.FileRoots[0], Outputs: s.options.OutputRoots[0], LookupGrace: s.options.LookupGrace,
	})
	require.NoError(s.t, err)
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childEnv+"="+string(settings))
	require.NoError(s.t, child.Start())
	s.t.Cleanup(func() {
		_ = child.Process.Kill()
		_ = child.Wait()
	})
	return child
}

// stagingProgress returns what the pending activity has recorded in its heartbeat.
func (s *stack) stagingProgress(run client.WorkflowRun) (progress asteroid.Progress[asteroid.StagedFile]) {
	s.t.Helper()
	described, err := s.client.DescribeWorkflowExecution(s.ctx(), run.GetID(), run.GetRunID())
	require.NoError(s.t, err)
	for _, pending := range described.PendingActivities {
		_ = converter.GetDefaultDataConverter().FromPayloads(pending.HeartbeatDetails, &progress) // there may be none yet
	}
	return progress
}

func TestStageFilesAfterWorkerKillSendsOnlyUnfinishedFiles(t *testing.T) {
	s := newStack(t)
	var files []asteroid.FileRef
	for i := range 10 {
		path := filepath.Join(s.options.FileRoots[0], fmt.Sprintf("%d.txt", i))
		require.NoError(t, os.WriteFile(path, []byte("content"), 0o600))
		files = append(files, asteroid.FileRef{URI: "file://" + path})
	}
	uploads := func() (finished, started int) {
		for _, r := range s.api.Requests() {
			if r.Operation == "TempFilesStage" {
				started++
				if r.Status == 200 {
					finished++
				}
			}
		}
		return finished, started
	}
	// The seventh request and the next three hang.
	for range 6 {
		s.api.Inject("TempFilesStage", testsuite.Stall(0), 1)
	}
	s.api.Inject("TempFilesStage", testsuite.Stall(time.Hour), 4)
	child := s.startChildWorker()
	run := s.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{AgentID: s.api.AgentID("inventory"), Files: files})
	require.Eventually(t, func() bool { finished, started := uploads(); return finished == 6 && started == 10 }, time.Minute, 20*time.Millisecond)
	require.Eventually(t, func() bool { return len(s.stagingProgress(run).Done) == 6 }, 10*time.Second, 20*time.Millisecond)
	require.NoError(t, child.Process.Kill())
	s.startWorker()
	require.NoError(t, run.Get(s.ctx(), nil))
	_, started := uploads()
	require.LessOrEqual(t, started, 10+4, "the next attempt sends at most the four unfinished files")
	require.Len(t, s.api.Executions()[0].Files, 10)
}
