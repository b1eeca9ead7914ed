package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/temporal-asteroid/asteroid"
)

// settings are what the command line asks for.
type settings struct {
	files  []string
	agents []string
	inputs asteroid.Inputs
	save   string // where the agents' files go: a URI, or empty
	bucket []string
	db     string
	uiPort int
	keep   bool
	live   bool
	json   bool
}

func parse(args []string, stderr io.Writer) (settings, error) {
	s := settings{inputs: asteroid.Inputs{}}
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // one line says what is wrong; the whole usage would bury it
	flags.Func("file", "give this `path` to the first agent; repeatable (default: the sample files)", func(path string) error {
		s.files = append(s.files, path)
		return nil
	})
	flags.Func("agent", "run this agent, a name of the fake's or an `id`; repeatable: each starts from the execution id, the result and the downloads of the one before (default: inventory, then report)", func(agent string) error {
		s.agents = append(s.agents, agent)
		return nil
	})
	flags.Func("input", "an input of the first agent as `name=value`, where the value may be JSON; repeatable", func(pair string) error {
		name, text, found := strings.Cut(pair, "=")
		if !found || name == "" {
			return fmt.Errorf("%q is not name=value", pair)
		}
		s.inputs[name] = inputValue(text)
		return nil
	})
	flags.StringVar(&s.save, "save", "", "save what the agents leave beneath this `directory`, or URI of one of the buckets")
	flags.Func("bucket", "let --save use this bucket, the `URL` as gocloud.dev has it: s3://name?region=..., gs://name, azblob://name, mem://name; repeatable", func(url string) error {
		s.bucket = append(s.bucket, url)
		return nil
	})
	flags.StringVar(&s.db, "db", "", "keep the Temporal server's data in this `file` (default: in memory)")
	flags.IntVar(&s.uiPort, "ui-port", 0, "serve the web UI on this `port` (default: a free one)")
	flags.BoolVar(&s.keep, "keep", false, "leave everything running afterwards, until Ctrl-C")
	flags.BoolVar(&s.live, "live", false, "use the real service: needs ASTEROID_API_KEY, and ASTEROID_ORGANIZATION_ID for a key that spans several")
	flags.BoolVar(&s.json, "json", false, "print one JSON object at the end; progress goes to the standard error output")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(stderr, "Run Asteroid agents from a Temporal workflow, with everything that takes in this process.\n\nUsage: go run ./cmd/demo [flags]\n\n")
			flags.SetOutput(stderr)
			flags.PrintDefaults()
			return s, err
		}
		return s, fmt.Errorf("%w (go run ./cmd/demo --help lists the flags)", err)
	}
	if flags.NArg() > 0 {
		return s, fmt.Errorf("%q is no flag: name files with --file", flags.Arg(0))
	}
	return s, s.check()
}

func (s *settings) check() error {
	if s.save != "" && !strings.Contains(s.save, "://") {
		directory, err := filepath.Abs(s.save)
		if err != nil {
			return err
		}
		if info, err := os.Stat(directory); err != nil || !info.IsDir() {
			return fmt.Errorf("--save %s: there is no such directory", s.save)
		}
		s.save = (&url.URL{Scheme: "file", Path: filepath.ToSlash(directory)}).String()
	}
	if s.uiPort < 0 || s.uiPort > 65535 {
		return fmt.Errorf("--ui-port %d: a port is 1 to 65535, or 0 for a free one", s.uiPort)
	}
	if !s.live {
		if len(s.agents) == 0 {
			s.agents = []string{"inventory", "report"}
		}
		return nil
	}
	switch {
	case os.Getenv("ASTEROID_API_KEY") == "":
		return errors.New("--live needs the API key: set ASTEROID_API_KEY")
	case len(s.agents) == 0:
		return errors.New("--live needs the agent to run: name its id with --agent")
	}
	return nil
}

// inputValue takes a text for JSON where it is: 42, true, ["a"]. Everything else is the text itself.
func inputValue(text string) any {
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil || decoder.More() {
		return text
	}
	return value
}
