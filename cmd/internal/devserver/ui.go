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
	url    string
	server *uiserver.Server
	ended  chan struct{}
}

// startUI serves the web UI on the reserved port and returns when it answers for the namespace.
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
		ended: make(chan struct{}),
	}
	// The UI server ends the whole process when it cannot listen, hence the reservation up to here.
	_ = port.Close()
	go func() {
		defer close(ui.ended)
		_ = ui.server.Start() // returns an error for a configuration it could not read; ours is in memory
	}()
	if err := poll(ctx, "the web UI", func() error { return ui.check(ctx, namespace) }); err != nil {
		ui.stop()
		return nil, err
	}
	return ui, nil
}

// check asks the UI server for the namespace, which it has to get from the frontend.
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
	<-ui.ended
}
