package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"go.temporal.io/sdk/log"
	sdktestsuite "go.temporal.io/sdk/testsuite"
	sdkworker "go.temporal.io/sdk/worker"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/activities"
)

const (
	copyChild  = "bench-copy"
	stageChild = "bench-stage"
)

// copyFile sends the file over a plain TCP connection to the sink at the address args[0]. No client
// that touches every byte can be faster.
func copyFile(ctx context.Context, path string, args []string) (time.Duration, error) {
	if len(args) != 1 {
		return 0, errors.New("name the address of the sink")
	}
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }()
	began := time.Now()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", args[0])
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	sent, err := copyPlainly(conn, file)
	if err != nil {
		return 0, err
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		return 0, err
	}
	var received int64
	if _, err := fmt.Fscan(conn, &received); err != nil || received != sent {
		return 0, fmt.Errorf("%d of %d bytes arrived: %w", received, sent, err)
	}
	return time.Since(began), nil
}

// stageFile sends the file through the StageFiles activity, as a worker does, to the API that the
// environment names.
func stageFile(_ context.Context, path string, _ []string) (time.Duration, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	made, err := activities.New(activities.Options{
		Connections:    map[string]asteroid.Connection{asteroid.DefaultConnection: asteroid.ConnectionFromEnv()},
		FileRoots:      []string{filepath.Dir(path)},
		MaxUploadBytes: -1,
	})
	if err != nil {
		return 0, err
	}
	sdkworker.SetBinaryChecksum("bench") // a worker hashes its whole executable once, before it polls
	var suite sdktestsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestActivityEnvironment()
	env.SetTestTimeout(time.Hour)
	made.Register(env)
	in := asteroid.StageFilesInput{Files: []asteroid.FileRef{{URI: (&url.URL{Scheme: "file", Path: filepath.ToSlash(path)}).String()}}}

	began := time.Now()
	value, err := env.ExecuteActivity(asteroid.StageFilesName, in)
	elapsed := time.Since(began)
	if err != nil {
		return 0, err
	}
	var staged asteroid.StageFilesResult
	if err := value.Get(&staged); err != nil {
		return 0, err
	}
	if staged.Files[0].Size != info.Size() {
		return 0, fmt.Errorf("%d of %d bytes were staged", staged.Files[0].Size, info.Size())
	}
	return elapsed, nil
}

var errNoCurl = errors.New("there is no curl on this machine")

// curlFile sends the file with curl -F, as the API's documentation shows.
func curlFile(ctx context.Context, path string, api apiInfo) (transfer, error) {
	program, err := exec.LookPath("curl")
	if err != nil {
		return transfer{}, errNoCurl
	}
	command := exec.CommandContext(ctx, program, "-q", "--noproxy", "*", "--silent", "--show-error", "--fail", //nolint:gosec // ours
		"--output", os.DevNull, "--write-out", "%{time_total} %{size_upload}",
		"--header", "X-Asteroid-Agents-Api-Key: "+api.APIKey, "--form", "files=@"+filepath.Base(path),
		api.BaseURL+"/agents/v2/temp-files/"+api.OrganizationID)
	command.Dir = filepath.Dir(path)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	output, err := command.Output()
	if err != nil {
		return transfer{}, fmt.Errorf("curl: %w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	result := transfer{CPU: command.ProcessState.UserTime() + command.ProcessState.SystemTime()}
	var sent int64
	if _, err := fmt.Sscan(string(output), &result.Seconds, &sent); err != nil {
		return transfer{}, fmt.Errorf("curl wrote %q: %w", output, err)
	}
	if info, err := os.Stat(path); err != nil || sent < info.Size() {
		return transfer{}, fmt.Errorf("curl sent %d bytes of the file: %w", sent, err)
	}
	return result, nil
}
