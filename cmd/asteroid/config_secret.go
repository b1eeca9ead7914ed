package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// secretSource names the environment variable or the file that holds a secret.
type secretSource struct {
	Env  string `yaml:"env"`
	File string `yaml:"file"`
}

var (
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	// shownName is a variable that errors name. Another one may be a key that stands in the place
	// of a name.
	shownName = regexp.MustCompile(`^[A-Z][A-Z0-9]{0,30}(_[A-Z0-9]{1,30})+$`)
)

// check returns an error unless the source names one place that can hold a secret. Env and file are
// the names of its fields.
func (s secretSource) check(env, file string) error {
	switch {
	case s.Env == "" && s.File == "":
		return fmt.Errorf("set %s or %s", env, file)
	case s.Env != "" && s.File != "":
		return fmt.Errorf("both %s and %s are set: keep one", env, file)
	case s.Env != "" && !variableName.MatchString(s.Env):
		return fmt.Errorf("%s is not the name of an environment variable: write a name such as ASTEROID_API_KEY, not what it holds", env)
	case s.File != "" && !filepath.IsAbs(s.File):
		return fmt.Errorf("%s is not an absolute path: write one such as /run/secrets/asteroid, not what the file holds", file)
	}
	return nil
}

// maxSecretBytes bounds a file with a secret.
const maxSecretBytes = 64 << 10

// read returns the secret without surrounding space. Its errors do not repeat it.
func (s secretSource) read() (string, error) {
	if s.Env != "" {
		secret := strings.TrimSpace(os.Getenv(s.Env))
		switch {
		case secret != "":
			return secret, nil
		case shownName.MatchString(s.Env):
			return "", fmt.Errorf("environment variable %s is empty or not set: put the secret there", s.Env)
		}
		return "", errors.New("the environment variable that the configuration names is empty or not set: put the secret there")
	}
	// A pipe would block, or give the secret only once.
	if info, err := os.Stat(s.File); err != nil {
		return "", err
	} else if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a regular file: put the secret into one", s.File)
	}
	file, err := os.Open(s.File)
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxSecretBytes+1))
	switch secret := strings.TrimSpace(string(text)); {
	case err != nil:
		return "", err
	case len(text) > maxSecretBytes:
		return "", fmt.Errorf("%s has more than 64 KiB: it must hold the secret and nothing else", s.File)
	case secret == "":
		return "", fmt.Errorf("%s is empty: put the secret there", s.File)
	default:
		return secret, nil
	}
}

// apiKey reads the secret at each request, so that a key can be replaced while the worker runs.
func (s secretSource) apiKey(context.Context) (string, error) { return s.read() }

// readSecrets reads all secrets of a list. The path names the list in errors.
func readSecrets(path string, sources []secretSource) ([]string, error) {
	secrets := make([]string, len(sources))
	for i, source := range sources {
		err := source.check("env", "file")
		if err == nil {
			secrets[i], err = source.read()
		}
		if err != nil {
			return nil, fmt.Errorf("%s[%d]: %w", path, i, err)
		}
	}
	return secrets, nil
}
