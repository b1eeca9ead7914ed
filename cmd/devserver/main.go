// Command devserver runs a Temporal dev server with its web UI, for those who have no Temporal CLI:
//
//	go run ./cmd/devserver
//	go run ./cmd/devserver --db temporal.db --search-attribute Customer=Keyword
//	go run ./cmd/devserver --port 0 --ui-port 0 --json
//
// It listens on the loopback interface only. It has no authentication and is not for production.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/temporal-asteroid/asteroid/cmd/internal/devserver"
	"github.com/temporal-asteroid/asteroid/cmd/internal/program"
	"github.com/temporal-asteroid/asteroid/cmd/internal/temporalserver"
)

func main() { program.Main(run) }

// run returns the exit code of program.ExitCode. The server has stopped by then.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return program.ExitCode(ctx, "devserver", serve(ctx, args, stdout, stderr), stderr)
}

// serve runs the server until ctx is cancelled, which is no error.
func serve(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	options, asJSON, err := parse(args, stderr)
	if err != nil {
		return err
	}
	server, err := devserver.Start(ctx, options)
	if err != nil {
		return err
	}
	ready := temporalserver.Ready{Address: server.HostPort(), Namespace: options.Namespace, UIURL: server.UIURL()}
	if asJSON {
		err = json.NewEncoder(stdout).Encode(ready)
	} else {
		_, err = fmt.Fprintf(stdout, "A Temporal server runs until interrupted.\n\n  address    %s\n  namespace  %s\n  web UI     %s\n",
			ready.Address, ready.Namespace, ready.UIURL)
	}
	if err == nil {
		<-ctx.Done()
	}
	if stopped := server.Stop(); err == nil {
		err = stopped
	}
	return err
}

func parse(args []string, stderr io.Writer) (options devserver.Options, asJSON bool, err error) {
	options = devserver.Options{UI: true, SearchAttributes: map[string]enumspb.IndexedValueType{}}
	flags := flag.NewFlagSet("devserver", flag.ContinueOnError)
	flags.IntVar(&options.Port, "port", 7233, "serve gRPC on this `port` of 127.0.0.1; 0 takes a free one")
	flags.IntVar(&options.UIPort, "ui-port", 8233, "serve the web UI on this `port` of 127.0.0.1; 0 takes a free one")
	flags.StringVar(&options.DatabaseFile, "db", "", "keep all data in this `file` (default: in memory)")
	flags.StringVar(&options.Namespace, "namespace", "default", "create this `namespace`")
	flags.Func("search-attribute", "create the search attribute `Name=Type`; the type is Text, Keyword, Int, Double, Bool, Datetime or KeywordList; repeatable",
		func(text string) error {
			name, typeName, _ := strings.Cut(text, "=")
			kind, err := enumspb.IndexedValueTypeFromString(typeName)
			if name == "" || err != nil || kind == enumspb.INDEXED_VALUE_TYPE_UNSPECIFIED {
				return fmt.Errorf("%q is not Name=Type with the type Text, Keyword, Int, Double, Bool, Datetime or KeywordList", text)
			}
			options.SearchAttributes[name] = kind
			return nil
		})
	flags.BoolVar(&asJSON, "json", false, "print one line of JSON when ready: address, namespace and uiUrl")
	verbose := flags.Bool("verbose", false, "print the server's log, which has many warnings even if all is well")
	if err := program.ParseFlags(flags, args, stderr, "Run a Temporal dev server with its web UI."); err != nil {
		return options, false, err
	}
	for name, port := range map[string]int{"--port": options.Port, "--ui-port": options.UIPort} {
		if port < 0 || port > 65535 {
			return options, false, program.UsageErrorf("%s %d: a port is 1 to 65535, or 0 for a free one", name, port)
		}
	}
	if options.Namespace == "" {
		return options, false, program.UsageErrorf("--namespace is empty: give a name, or omit the flag")
	}
	if *verbose {
		options.Logger = slog.New(slog.NewTextHandler(stderr, nil))
	}
	return options, asJSON, nil
}
