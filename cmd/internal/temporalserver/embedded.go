package temporalserver

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid/cmd/internal/child"
	"github.com/temporal-asteroid/asteroid/cmd/internal/compile"
)

// Ready is the line that cmd/devserver prints with --json when it is ready.
type Ready struct {
	Address   string `json:"address"` // host:port of the gRPC frontend
	Namespace string `json:"namespace"`
	UIURL     string `json:"uiUrl"`
}

// startEmbedded compiles cmd/devserver, if it must, and starts it.
func startEmbedded(ctx context.Context, o Options) (*Server, error) {
	target := compile.Target{
		Directory: "devserver", What: "a Temporal server", Why: ", as there is no temporal command on the PATH",
		Otherwise: "install the Temporal CLI (https://docs.temporal.io/cli), or let the SDK download it with --server download",
	}
	if o.Kind == Embedded {
		target.Why = ", as asked"
	}
	program, err := compile.Program(ctx, target, o.Progress)
	if err != nil {
		return nil, err
	}
	o.Progress.Phase("starting the Temporal server")
	args := []string{"--json", "--namespace", o.Namespace, "--port", strconv.Itoa(o.Port), "--ui-port", strconv.Itoa(o.UIPort)}
	if o.DatabaseFile != "" {
		args = append(args, "--db", o.DatabaseFile)
	}
	process, err := child.StartProgram("the Temporal server", program, nil, append(args, o.searchAttributeFlags()...)...)
	if err != nil {
		return nil, err
	}
	var ready Ready
	line, err := process.AwaitReady(ctx)
	if err == nil {
		if err = json.Unmarshal(line, &ready); err != nil {
			err = fmt.Errorf("the Temporal server printed %q: %w", line, err)
		}
	}
	if err != nil {
		process.Kill()
		return nil, err
	}
	return &Server{
		options: client.Options{HostPort: ready.Address, Namespace: ready.Namespace, Logger: quietLogger()},
		uiURL:   ready.UIURL, own: true, exited: process.Exited(),
		stop: func() { _ = process.Stop(stopTimeout) }, // killed after the timeout; its data is not needed
	}, nil
}
