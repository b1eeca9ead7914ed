// Command fake serves a fake of the Asteroid API, to try and test clients without an account:
//
//	go run ./cmd/fake
//	go run ./cmd/fake --listen 127.0.0.1:0 --json
//	go run ./cmd/fake --webhooks http://127.0.0.1:8080/webhooks
//
// Its agents inventory, totals, report, patient and echo process their files and inputs; see
// package testsuite. Everything is in memory and lost on exit.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"syscall"

	"github.com/temporal-asteroid/asteroid/cmd/internal/program"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

func main() { program.Main(run) }

// run returns the exit code of program.ExitCode.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return program.ExitCode(ctx, "fake", serve(ctx, args, stdout, stderr), stderr)
}

func serve(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("fake", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:8765", "`address` to serve on; port 0 takes a free port")
	asJSON := flags.Bool("json", false, "print one line of JSON when ready: baseUrl, organizationId, apiKey, agents, and webhookKey with --webhooks")
	apiKey := flags.String("api-key", "", "the `key` that clients must send (default: a random one)")
	concurrency := flags.Int("concurrency", 0, "the `number` of executions that may be active at once; 0: no limit")
	webhooks := flags.String("webhooks", "", "post signed webhooks to this `URL`; the public key is printed")
	if err := program.ParseFlags(flags, args, stderr, "Serve a fake of the Asteroid API."); err != nil {
		return err
	}
	if *concurrency < 0 {
		return program.UsageErrorf("--concurrency %d: give a positive number, or 0 for no limit", *concurrency)
	}

	options := []testsuite.Option{
		testsuite.WithListenAddr(*listen),
		testsuite.WithConcurrencyLimit(*concurrency),
		testsuite.WithKeysOnDownloads(), // like the real API: the vendor's SDKs follow redirects with their key
		testsuite.WithLog(func(message string) { fmt.Fprintln(stderr, "fake:", message) }),
	}
	if *apiKey != "" {
		options = append(options, testsuite.WithAPIKey(*apiKey))
	}
	if *webhooks != "" {
		if target, err := url.Parse(*webhooks); err != nil || (target.Scheme != "http" && target.Scheme != "https") || target.Host == "" {
			return program.UsageErrorf("--webhooks %q: give a whole URL, such as http://127.0.0.1:8080/webhooks", *webhooks)
		}
		options = append(options, testsuite.WithWebhooks(*webhooks, nil))
	}
	api, err := testsuite.StartAPI(options...)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s is in use; choose another address with --listen, or any free port with --listen 127.0.0.1:0", *listen)
	}
	if err != nil {
		return fmt.Errorf("%w; choose another address with --listen", err)
	}
	defer api.Close() // WithLog has logged its problems
	if *asJSON {
		err = announceJSON(stdout, api)
	} else {
		err = announce(stdout, api)
	}
	if err == nil {
		<-ctx.Done()
	}
	return err
}

func announceJSON(w io.Writer, api *testsuite.API) error {
	return json.NewEncoder(w).Encode(struct {
		BaseURL        string            `json:"baseUrl"`
		OrganizationID string            `json:"organizationId"`
		APIKey         string            `json:"apiKey"`
		Agents         map[string]string `json:"agents"`
		WebhookKey     string            `json:"webhookKey,omitempty"`
	}{api.BaseURL(), api.OrganizationID(), api.APIKey(), api.Agents(), api.WebhookPublicKey()})
}

func announce(w io.Writer, api *testsuite.API) error {
	text := fmt.Sprintf("Serving a fake of the Asteroid API on %s until interrupted. To use it:\n\n", api.BaseURL())
	text += fmt.Sprintf("  export ASTEROID_BASE_URL=%s\n", api.BaseURL())
	text += fmt.Sprintf("  export ASTEROID_API_KEY=%s\n", api.APIKey())
	text += fmt.Sprintf("  export ASTEROID_ORGANIZATION_ID=%s\n", api.OrganizationID())
	if key := api.WebhookPublicKey(); key != "" {
		text += fmt.Sprintf("\nWebhooks are signed; the public key for the receiver is\n\n  %s\n", key)
	}
	text += "\nAgents (each is also a workflow):\n\n"
	agents := api.Agents()
	for _, name := range slices.Sorted(maps.Keys(agents)) {
		text += fmt.Sprintf("  %-10s %s\n", name, agents[name])
	}
	text += fmt.Sprintf("\nEach execution has a page, its platformUrl:\n\n  %s/executions/<execution id>\n", api.BaseURL())
	_, err := io.WriteString(w, text)
	return err
}
