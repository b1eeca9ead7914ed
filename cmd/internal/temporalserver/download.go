package temporalserver

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/temporal-asteroid/asteroid/cmd/internal/compile"
)

// startDownload starts the CLI that the SDK has downloaded, or downloads it first.
func startDownload(ctx context.Context, o Options) (*Server, error) {
	path, err := downloadPath()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil {
		text := "downloading the Temporal CLI from temporal.download, once, to " + path
		o.Progress.Phase(text)
		o.Progress.Count(text)
		// The SDK refuses the address after it has downloaded, and before it starts anything. Only
		// startCLI starts it, under a supervisor.
		_, err = testsuite.StartDevServer(ctx, testsuite.DevServerOptions{
			CachedDownload: testsuite.CachedDownload{DestDir: filepath.Dir(path)},
			ClientOptions:  &client.Options{HostPort: "none", Logger: quietLogger()},
		})
		if _, missing := os.Stat(path); missing != nil {
			return nil, fmt.Errorf("download the Temporal CLI (can this machine reach temporal.download?): %w", err)
		}
	}
	return startCLI(ctx, o, path)
}

// downloadPath returns where the SDK puts the CLI.
func downloadPath() (string, error) {
	directory, err := compile.CacheDirectory()
	if err != nil {
		return "", err
	}
	path := filepath.Join(directory, "temporal-cli-go-sdk-"+temporal.SDKVersion)
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	return path, nil
}
