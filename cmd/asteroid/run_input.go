package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/temporal-asteroid/asteroid"
)

// agentInputs are the flags that say what an agent gets.
type agentInputs struct {
	inputs, files, metadata []string
	inputsFile              string
}

func (a *agentInputs) addFlags(flags *pflag.FlagSet) {
	flags.StringArrayVar(&a.inputs, "input", nil, "give the agent the input `name=value`; a value that is JSON is passed as such, any other as a text; repeatable")
	flags.StringVar(&a.inputsFile, "inputs-file", "", "take inputs from the JSON object in this `file`, - for the standard input; --input replaces single ones")
	flags.StringArrayVar(&a.files, "file", nil, "give the agent the file with this `URI or path`; the worker opens it, so a path is one on the worker's disk, below one of its roots; repeatable")
	flags.StringArrayVar(&a.metadata, "metadata", nil, "label the execution with `key=value`; repeatable")
}

// parse returns what the flags say. Its errors are usage errors.
func (a *agentInputs) parse(stdin io.Reader) (asteroid.Inputs, []asteroid.FileRef, map[string]string, error) {
	inputs := asteroid.Inputs{}
	if a.inputsFile != "" {
		read, err := readInputs(a.inputsFile, stdin)
		if err != nil {
			return nil, nil, nil, err
		}
		inputs = read
	}
	pairs, err := parsePairs("input", a.inputs)
	if err != nil {
		return nil, nil, nil, err
	}
	for name, value := range pairs {
		if inputs[name], err = inputValue(name, value); err != nil {
			return nil, nil, nil, err
		}
	}
	var files []asteroid.FileRef
	for _, file := range a.files {
		uri, err := fileURI(file)
		if err != nil {
			return nil, nil, nil, err
		}
		files = append(files, asteroid.FileRef{URI: uri})
	}
	metadata, err := parsePairs("metadata", a.metadata)
	return inputs, files, metadata, err
}

func parsePairs(flag string, given []string) (map[string]string, error) {
	pairs := map[string]string{}
	for _, pair := range given {
		name, value, found := strings.Cut(pair, "=")
		switch _, twice := pairs[name]; {
		case !found || name == "":
			return nil, usageErrorf("--%s %q: write it as name=value", flag, pair)
		case twice:
			return nil, usageErrorf("--%s %s is given twice", flag, name)
		}
		pairs[name] = value
	}
	return pairs, nil
}

// parseLimits returns the limits of --limit. A key may have an = of its own.
func parseLimits(given []string, fairnessKey string) (limits []asteroid.Limit, err error) {
	for _, text := range given {
		at := strings.LastIndex(text, "=")
		most, err := strconv.Atoi(text[at+1:])
		if at < 1 || err != nil || most < 1 {
			return nil, usageErrorf("--limit %q: write it as key=max, such as login/claims=1", text)
		}
		limits = append(limits, asteroid.Limit{Key: text[:at], Max: most, FairnessKey: fairnessKey})
	}
	if len(limits) == 0 && fairnessKey != "" {
		return nil, usageErrorf("--fairness-key goes with --limit")
	}
	return limits, nil
}

// inputValue parses a text as JSON, such as 42, true or ["a"]. Any other text is the value itself,
// except for one that begins as an object, an array or a string does. A {{column}} of a batch does
// not begin as an object.
func inputValue(name, text string) (any, error) {
	raw := json.RawMessage(strings.TrimSpace(text))
	switch {
	case json.Valid(raw):
		return raw, nil
	case strings.HasPrefix(string(raw), "{{"):
		return text, nil
	case strings.IndexAny(string(raw), `{["`) == 0:
		return nil, usageErrorf("--input %s: %q is no JSON: quote it for the shell, as in --input '%[1]s=[\"a\"]'", name, text)
	default:
		return text, nil
	}
}

// readInputs reads a JSON object from a file, or the standard input.
func readInputs(path string, stdin io.Reader) (asteroid.Inputs, error) {
	name, from := path, io.Reader(nil)
	if path == "-" {
		name, from = "the standard input", stdin
	} else {
		file, err := os.Open(filepath.Clean(path))
		if err != nil {
			return nil, usageErrorf("--inputs-file: %w", err)
		}
		defer file.Close()
		from = file
	}
	const limit = 2 << 20 // in bytes, which is more than a workflow takes
	content, err := io.ReadAll(io.LimitReader(from, limit+1))
	switch {
	case err != nil:
		return nil, usageErrorf("--inputs-file: %w", err)
	case len(content) > limit:
		return nil, usageErrorf("--inputs-file: %s has more than %d bytes: pass large content by --file", name, limit)
	case !bytes.HasPrefix(bytes.TrimSpace(content), []byte("{")):
		return nil, usageErrorf(`--inputs-file: %s holds no JSON object: write the inputs as {"name": value}`, name)
	}
	inputs := asteroid.Inputs{}
	if err := json.Unmarshal(content, &inputs); err != nil {
		return nil, usageErrorf("--inputs-file: %s: %s", name, position(content, err))
	}
	return inputs, nil
}

// position says where JSON is wrong.
func position(content []byte, err error) string {
	if wrong, ok := err.(*json.SyntaxError); ok { //nolint:errorlint // Unmarshal wraps nothing
		line := 1 + bytes.Count(content[:min(int(wrong.Offset), len(content))], []byte("\n"))
		return fmt.Sprintf("line %d: %v", line, err)
	}
	return err.Error()
}

// fileURI returns a URI as it is, and a path as a file: URI.
func fileURI(given string) (string, error) {
	scheme, _, found := strings.Cut(given, ":")
	switch {
	case given == "":
		return "", usageErrorf("a file or directory is empty: give a path or a URI")
	case found && len(scheme) > 1 && !strings.ContainsAny(scheme, `/\. `):
		if _, err := url.Parse(given); err != nil && scheme != "data" {
			return "", usageErrorf("%q is no URI: percent-encode special characters", given)
		}
		return given, nil
	}
	absolute, err := filepath.Abs(given)
	if err != nil {
		return "", usageErrorf("%q: %w", given, err)
	}
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(absolute)}).String(), nil
}
