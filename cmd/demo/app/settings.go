package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/cmd/internal/program"
	"github.com/temporal-asteroid/asteroid/cmd/internal/temporalserver"
)

// settings are the flags.
type settings struct {
	files  []string
	agents []string
	inputs asteroid.Inputs
	save   string // the directory of the agents' output files; empty: not saved
	server temporalserver.Options
	batch  bool
	keep   bool
	live   bool
	json   bool
}

func parse(args []string, stderr io.Writer) (settings, error) {
	s := settings{inputs: asteroid.Inputs{}}
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.Func("file", "give the file at this `path` to the first agent; repeatable (default: the sample files)", func(path string) error {
		s.files = append(s.files, path)
		return nil
	})
	flags.Func("agent", "run the agent with this `id`, or with this name if the fake serves it; repeatable: each agent starts from the execution id, the result and the downloads of the agent before (default: inventory, then report)", func(agent string) error {
		s.agents = append(s.agents, agent)
		return nil
	})
	flags.Func("input", "give the first agent the input `name=value`; the value may be JSON; repeatable", func(pair string) error {
		name, text, found := strings.Cut(pair, "=")
		if !found || name == "" {
			return fmt.Errorf("%q is not name=value", pair)
		}
		s.inputs[name] = inputValue(text)
		return nil
	})
	flags.BoolVar(&s.batch, "batch", false, "run the agent (default: echo) for each row of the file, a CSV or JSON lines, and write a file of results; --input may have a {{column}}, and without one every column is an input")
	flags.StringVar(&s.save, "save", "", "save the agents' output files, or the results of --batch, in this `directory`")
	flags.Func("server", "start this `kind` of Temporal server: cli (of the temporal command), embedded (compiled on its first use), download (the temporal command, by the SDK); default: cli, or embedded without a temporal command", func(kind string) error {
		s.server.Kind = temporalserver.Kind(kind)
		if !slices.Contains(temporalserver.Kinds, s.server.Kind) {
			return errors.New("choose cli, embedded or download")
		}
		return nil
	})
	flags.StringVar(&s.server.Address, "address", "", "use the Temporal server at this `host:port`, which runs already")
	flags.StringVar(&s.server.Profile, "profile", "", "use the Temporal server of this `profile` of the temporal command's configuration file")
	flags.StringVar(&s.server.Namespace, "namespace", "", "use this Temporal `namespace` (default: the profile's, or default)")
	flags.StringVar(&s.server.DatabaseFile, "db", "", "keep the Temporal server's data in this `file` (default: in memory)")
	flags.IntVar(&s.server.UIPort, "ui-port", 0, "serve the web UI on this `port` (default: a free one)")
	flags.BoolVar(&s.keep, "keep", false, "keep everything running afterwards, until Ctrl-C")
	flags.BoolVar(&s.live, "live", false, "use the real API: set ASTEROID_API_KEY, and ASTEROID_ORGANIZATION_ID if the key belongs to several organizations")
	flags.BoolVar(&s.json, "json", false, "print one JSON object at the end; progress goes to the standard error output")
	if err := program.ParseFlags(flags, args, stderr, "Run Asteroid agents from a Temporal workflow, with a Temporal server, a fake of the Asteroid API and a worker."); err != nil {
		return s, err
	}
	return s, s.check()
}

func (s *settings) check() error {
	if err := s.checkServer(); err != nil {
		return err
	}
	if s.save != "" {
		directory, err := filepath.Abs(s.save)
		if err != nil {
			return err
		}
		if info, err := os.Stat(directory); err != nil || !info.IsDir() {
			return program.UsageErrorf("--save %s: no such directory; create it first", s.save)
		}
		s.save = directory
	}
	if s.batch && (len(s.files) > 1 || len(s.agents) > 1) {
		return program.UsageErrorf("--batch takes one --file and one --agent")
	}
	if !s.live {
		switch {
		case len(s.agents) > 0:
		case s.batch:
			s.agents = []string{"echo"}
		default:
			s.agents = []string{"inventory", "report"}
		}
		return nil
	}
	switch {
	case os.Getenv("ASTEROID_API_KEY") == "":
		return program.UsageErrorf("--live needs the API key: set ASTEROID_API_KEY")
	case len(s.agents) == 0:
		return program.UsageErrorf("--live needs an agent: give its id with --agent")
	case s.batch && len(s.files) == 0:
		return program.UsageErrorf("--live --batch needs rows: give their file with --file")
	}
	return nil
}

// checkServer refuses flags for a server of its own next to those that name another one.
func (s *settings) checkServer() error {
	if s.server.UIPort < 0 || s.server.UIPort > 65535 {
		return program.UsageErrorf("--ui-port %d: a port is 1 to 65535, or 0 for a free one", s.server.UIPort)
	}
	if s.server.Address == "" && s.server.Profile == "" {
		return nil
	}
	for flag, given := range map[string]bool{
		"--server": s.server.Kind != "", "--db": s.server.DatabaseFile != "", "--ui-port": s.server.UIPort != 0,
	} {
		if given {
			return program.UsageErrorf("%s is for a server that the demo starts, and --address or --profile names one that runs already: omit one of them", flag)
		}
	}
	return nil
}

// destination returns the URI of the directory for output files; empty: none.
func (s *settings) destination() string {
	if s.save == "" {
		return ""
	}
	return fileURI(s.save)
}

// inputValue parses the text as JSON, such as 42, true or ["a"]. Any other text is the value
// itself.
func inputValue(text string) any {
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil || decoder.More() {
		return text
	}
	return value
}
