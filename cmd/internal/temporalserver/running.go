package temporalserver

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
)

// connectTimeout bounds the first connection to a server of others.
const connectTimeout = 10 * time.Second

// connect returns a server that runs already.
func connect(ctx context.Context, o Options) (*Server, error) {
	options, err := envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{ConfigFileProfile: o.Profile})
	if err != nil {
		return nil, fmt.Errorf("read the settings of Temporal's clients: %w", err)
	}
	options.HostPort = cmp.Or(o.Address, options.HostPort, client.DefaultHostPort)
	options.Namespace = cmp.Or(o.Namespace, options.Namespace, client.DefaultNamespace)
	options.Logger = quietLogger()
	o.Progress.Phase("connecting to the Temporal server at " + options.HostPort)

	ctx, done := context.WithTimeout(ctx, connectTimeout)
	defer done()
	connected, err := client.DialContext(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("no Temporal server answers at %s: start one there, or omit the flags that name one: %w", options.HostPort, err)
	}
	connected.Close()
	return &Server{options: options, uiURL: guessUI(ctx, options.HostPort)}, nil
}

// guessUI returns the web UI of a server of others: Temporal Cloud's, or that of a dev server,
// which is on this machine and a thousand ports above. Empty: neither.
func guessUI(ctx context.Context, address string) string {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	if strings.HasSuffix(host, ".tmprl.cloud") || strings.HasSuffix(host, ".api.temporal.io") {
		return "https://cloud.temporal.io"
	}
	port, err := strconv.Atoi(portText)
	ip := net.ParseIP(host)
	if err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return ""
	}
	ui := "http://" + net.JoinHostPort(host, strconv.Itoa(port+1000))
	if checkUI(ctx, ui) != nil {
		return ""
	}
	return ui
}

// checkUI returns an error unless a Temporal web UI answers at the address.
func checkUI(ctx context.Context, ui string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, ui+"/api/v1/settings", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", ui, response.Status)
	}
	return nil
}

// awaitUI returns when the web UI answers.
func awaitUI(ctx context.Context, ui string) error {
	for {
		err := checkUI(ctx, ui)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
