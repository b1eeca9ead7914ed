// Fake serves a fake of the Asteroid API, for trying out and testing clients without an account:
//
//	go run ./cmd/fake
//	go run ./cmd/fake --listen 127.0.0.1:0 --json
//	go run ./cmd/fake --webhooks http://127.0.0.1:8080/webhooks
//
// Its agents inventory, totals, report and patient do real work on what they are given; see the package
// testsuite. Everything is in memory and gone when it ends.
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
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/temporal-asteroid/asteroid/testsuite"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run serves until ctx is done and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("fake", flag.ContinueOnError)
	flags.SetOutput(stderr)
	listen := flags.String("listen", "127.0.0.1:8765", "`address` to serve on; port 0 takes a free one")
	asJSON := flags.Bool("json", false, "print one line of JSON when ready: baseUrl, organizationId, apiKey, agents, and webhookKey with --webhooks")
	apiKey := flags.String("api-key", "", "the `key` that clients must send (default: a random one)")
	concurrency := flags.Int("concurrency", 0, "how many executions may be active at once; 0 is no limit")
	webhooks := flags.String("webhooks", "", "the `URL` to post signed webhooks to; the key to check them with is printed")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "fake: unexpected argument %q; see --help\n", flags.Arg(0))
		return 2
	}
	if *concurrency < 0 {
		fmt.Fprintf(stderr, "fake: --concurrency %d: give a positive number, or 0 for no limit\n", *concurrency)
		return 2
	}

	options := []testsuite.Option{
		testsuite.WithListenAddr(*listen),
		testsuite.WithConcurrencyLimit(*concurrency),
		testsuite.WithKeysOnDownloads(), // as the service: the vendor's SDKs follow redirects with their key
		testsuite.WithLog(func(message string) { fmt.Fprintln(stderr, "fake:", message) }),
	}
	if *apiKey != "" {
		options = append(options, testsuite.WithAPIKey(*apiKey))
	}
	if *webhooks != "" {
		if target, err := url.Parse(*webhooks); err != nil || (target.Scheme != "http" && target.Scheme != "https") || target.Host == "" {
			fmt.Fprintf(stderr, "fake: --webhooks %q: give a whole URL, such as http://127.0.0.1:8080/webhooks\n", *webhooks)
			return 2
		}
		options = append(options, testsuite.WithWebhooks(*webhooks, nil))
	}
	api, err := testsuite.StartAPI(options...)
	if errors.Is(err, syscall.EADDRINUSE) {
		fmt.Fprintf(stderr, "fake: %s is in use; choose another address with --listen, or any free port with --listen 127.0.0.1:0\n", *listen)
		return 1
	}
	if err != nil {
		fmt.Fprintf(stderr, "fake: %v; choose another address with --listen\n", err)
		return 1
	}
	defer api.Close() // its problems have been logged
	if *asJSON {
		err = announceJSON(stdout, api)
	} else {
		err = announce(stdout, api)
	}
	if err != nil {
		fmt.Fprintln(stderr, "fake:", err)
		return 1
	}
	<-ctx.Done()
	return 0
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
		text += fmt.Sprintf("\nIts webhooks are signed; the public key for the receiver is\n\n  %s\n", key)
	}
	text += "\nAgents (each is a workflow, too):\n\n"
	agents := api.Agents()
	for _, name := range slices.Sorted(maps.Keys(agents)) {
		text += fmt.Sprintf("  %-10s %s\n", name, agents[name])
	}
	_, err := io.WriteString(w, text)
	return err
}
