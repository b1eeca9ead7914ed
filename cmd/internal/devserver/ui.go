package devserver

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	uiserver "github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	uioptions "github.com/temporalio/ui-server/v2/server/server_options"
)

type webUI struct {
	url     string
	server  *uiserver.Server
	stopped chan struct{}
}

// startUI serves the web UI on the reserved port, and returns when it responds for the namespace.
func startUI(ctx context.Context, port *reservation, frontend, namespace string) (*webUI, error) {
	ui := &webUI{
		url: "http://" + port.addr.String(),
		server: uiserver.NewServer(uioptions.WithConfigProvider(&uiconfig.Config{
			Host:                loopback,
			Port:                port.addr.Port,
			TemporalGRPCAddress: frontend,
			DefaultNamespace:    namespace,
			EnableUI:            true,
			HideLogs:            true,
			DisableNewsFetch:    true,
			CORS:                uiconfig.CORS{CookieInsecure: true}, // there is no TLS on loopback
		})),
		stopped: make(chan struct{}),
	}
	// The UI server exits the whole process if it cannot listen, so the port is reserved until
	// here.
	_ = port.Close()
	go func() {
		defer close(ui.stopped)
		_ = ui.server.Start() // fails only for an unreadable configuration, and this one is in memory
	}()
	if err := poll(ctx, "the web UI", func() error { return ui.check(ctx, namespace) }); err != nil {
		ui.stop()
		return nil, err
	}
	return ui, nil
}

// check requests the namespace from the UI server, which reads it from the frontend.
func (ui *webUI) check(ctx context.Context, namespace string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, ui.url+"/api/v1/namespaces/"+url.PathEscape(namespace), nil)
	if err != nil {
		return err
	}
	req.Close = true // an idle connection would outlive the server
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return fmt.Errorf("%s: %s", resp.Status, body)
	}
	return nil
}

func (ui *webUI) stop() {
	ui.server.Stop()
	<-ui.stopped
}
