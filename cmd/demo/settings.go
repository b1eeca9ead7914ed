package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/cmd/internal/program"
)

// settings are the flags.
type settings struct {
	files  []string
	agents []string
	inputs asteroid.Inputs
	save   string // destination URI of the agents' output files; empty: not saved
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
	flags.StringVar(&s.save, "save", "", "save the agents' output files in this `directory`, or below the URI of one of the buckets")
	flags.Func("bucket", "let --save use the bucket with this gocloud.dev `URL`: s3://name?region=..., gs://name, azblob://name, mem://name; repeatable", func(url string) error {
		s.bucket = append(s.bucket, url)
		return nil
	})
	flags.StringVar(&s.db, "db", "", "keep the Temporal server's data in this `file` (default: in memory)")
	flags.IntVar(&s.uiPort, "ui-port", 0, "serve the web UI on this `port` (default: a free one)")
	flags.BoolVar(&s.keep, "keep", false, "keep everything running afterwards, until Ctrl-C")
	flags.BoolVar(&s.live, "live", false, "use the real API: set ASTEROID_API_KEY, and ASTEROID_ORGANIZATION_ID if the key belongs to several organizations")
	flags.BoolVar(&s.json, "json", false, "print one JSON object at the end; progress goes to the standard error output")
	if err := program.ParseFlags(flags, args, stderr, "Run Asteroid agents from a Temporal workflow, with every server in this process."); err != nil {
		return s, err
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
			return program.UsageErrorf("--save %s: no such directory; create it first", s.save)
		}
		s.save = (&url.URL{Scheme: "file", Path: filepath.ToSlash(directory)}).String()
	}
	if s.uiPort < 0 || s.uiPort > 65535 {
		return program.UsageErrorf("--ui-port %d: a port is 1 to 65535, or 0 for a free one", s.uiPort)
	}
	if !s.live {
		if len(s.agents) == 0 {
			s.agents = []string{"inventory", "report"}
		}
		return nil
	}
	switch {
	case os.Getenv("ASTEROID_API_KEY") == "":
		return program.UsageErrorf("--live needs the API key: set ASTEROID_API_KEY")
	case len(s.agents) == 0:
		return program.UsageErrorf("--live needs an agent: give its id with --agent")
	}
	return nil
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
