// Command fake serves a fake of the Asteroid API, to try and test clients without an account:
//
//	go run ./cmd/fake
//	go run ./cmd/fake --listen 127.0.0.1:0 --json
//	go run ./cmd/fake --organization Partner
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
	"strings"
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
	asJSON := flags.Bool("json", false, "print one line of JSON when ready: baseUrl, organizationId, apiKey, agents, webhookKey with --webhooks, and organizations with --organization")
	apiKey := flags.String("api-key", "", "the `key` that clients must send (default: a random one)")
	concurrency := flags.Int("concurrency", 0, "the `number` of executions that may be active at once; 0: no limit")
	var others names
	flags.Var(&others, "organization", "add another organization of this `name`, with the same agents under other ids and a key of its own; may be repeated")
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
	portal := api.AddProfile("portal")
	api.AddProfileGroup("portals", portal)
	api.AddInboxEmail(portal, testsuite.InboxEmail{From: "noreply@portal.example", Subject: "Your code", Text: "Your code is 123456."})
	organizations := []organization{{"", api.OrganizationID(), api.APIKey(), api.Agents()}}
	for _, name := range others {
		id := api.AddOrganization(name)
		organizations = append(organizations, organization{name, id, api.AddAPIKey(id), api.AgentsIn(id)})
	}
	if *asJSON {
		err = announceJSON(stdout, api, organizations)
	} else {
		err = announce(stdout, api, organizations)
	}
	if err == nil {
		<-ctx.Done()
	}
	return err
}

// names is a flag that may be repeated.
type names []string

func (n *names) String() string { return strings.Join(*n, ", ") }

func (n *names) Set(name string) error {
	if name == "" {
		return errors.New("give a name")
	}
	*n = append(*n, name)
	return nil
}

// organization is what clients need of an organization. The first one has no name here.
type organization struct {
	Name           string            `json:"name,omitempty"`
	OrganizationID string            `json:"organizationId"`
	APIKey         string            `json:"apiKey"`
	Agents         map[string]string `json:"agents"`
}

func announceJSON(w io.Writer, api *testsuite.API, organizations []organization) error {
	return json.NewEncoder(w).Encode(struct {
		BaseURL string `json:"baseUrl"`
		organization
		Organizations []organization `json:"organizations,omitempty"` // the further ones
		WebhookKey    string         `json:"webhookKey,omitempty"`
	}{api.BaseURL(), organizations[0], organizations[1:], api.WebhookPublicKey()})
}

func announce(w io.Writer, api *testsuite.API, organizations []organization) error {
	text := fmt.Sprintf("Serving a fake of the Asteroid API on %s until interrupted. To use it:\n\n", api.BaseURL())
	text += fmt.Sprintf("  export ASTEROID_BASE_URL=%s\n", api.BaseURL())
	for _, o := range organizations {
		if o.Name != "" {
			text += fmt.Sprintf("\nOrganization %q:\n\n", o.Name)
		}
		text += fmt.Sprintf("  export ASTEROID_API_KEY=%s\n", o.APIKey)
		text += fmt.Sprintf("  export ASTEROID_ORGANIZATION_ID=%s\n", o.OrganizationID)
		text += "\nAgents (each is also a workflow):\n\n"
		for _, name := range slices.Sorted(maps.Keys(o.Agents)) {
			text += fmt.Sprintf("  %-10s %s\n", name, o.Agents[name])
		}
	}
	if key := api.WebhookPublicKey(); key != "" {
		text += fmt.Sprintf("\nWebhooks are signed; the public key for the receiver is\n\n  %s\n", key)
	}
	text += fmt.Sprintf("\nEach execution has a page, its platformUrl:\n\n  %s/executions/<execution id>\n", api.BaseURL())
	_, err := io.WriteString(w, text)
	return err
}
