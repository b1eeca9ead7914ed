package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// workerConfig is the configuration file of the worker. worker.example.yaml documents each field.
// A field that is absent or null has its default.
type workerConfig struct {
	TaskQueue     string `yaml:"taskQueue"`
	Listen        string `yaml:"listen"`
	LogLevel      string `yaml:"logLevel"`
	StopTimeout   span   `yaml:"stopTimeout"`
	CheckInterval span   `yaml:"checkInterval"`

	Connections    map[string]connectionConfig `yaml:"connections"`
	RequestTimeout span                        `yaml:"requestTimeout"`
	LookupGrace    span                        `yaml:"lookupGrace"`

	FileRoots            []string    `yaml:"fileRoots"`
	OutputRoots          []string    `yaml:"outputRoots"`
	Buckets              []string    `yaml:"buckets"`
	HTTPS                httpsConfig `yaml:"https"`
	MaxUploadBytes       int64       `yaml:"maxUploadBytes"`
	MaxInlineResultBytes int         `yaml:"maxInlineResultBytes"`
	SettleInterval       span        `yaml:"settleInterval"`

	Limits limitsConfig `yaml:"limits"`

	Events         string         `yaml:"events"`
	WatchRound     span           `yaml:"watchRound"`
	WebhookSecrets []secretSource `yaml:"webhookSecrets"`
	Webhooks       *webhookConfig `yaml:"webhooks"`

	SearchAttributes *searchAttributesConfig `yaml:"searchAttributes"`
	RetryableErrors  bool                    `yaml:"retryableErrors"`
	Versioning       versioningConfig        `yaml:"versioning"`
	Slots            slotsConfig             `yaml:"slots"`
}

type connectionConfig struct {
	APIKeyEnv      string `yaml:"apiKeyEnv"`
	APIKeyFile     string `yaml:"apiKeyFile"`
	OrganizationID string `yaml:"organizationId"`
	BaseURL        string `yaml:"baseUrl"`
	Dialect        string `yaml:"dialect"`
}

type httpsConfig struct {
	Disabled   bool     `yaml:"disabled"`
	Hosts      []string `yaml:"hosts"`
	Networks   []string `yaml:"networks"`
	RootCAFile string   `yaml:"rootCAFile"`
	MaxBytes   int64    `yaml:"maxBytes"`
	Timeout    span     `yaml:"timeout"`
}

type webhookConfig struct {
	Listen              string                    `yaml:"listen"`
	Path                string                    `yaml:"path"`
	TLSCertFile         string                    `yaml:"tlsCertFile"`
	TLSKeyFile          string                    `yaml:"tlsKeyFile"`
	PublicKeyFiles      []string                  `yaml:"publicKeyFiles"`
	Tokens              string                    `yaml:"tokens"`
	RequiredHeaders     map[string][]secretSource `yaml:"requiredHeaders"`
	MaxSignalsPerMinute int                       `yaml:"maxSignalsPerMinute"`
	MaxBodyBytes        int64                     `yaml:"maxBodyBytes"`
	MaxAge              span                      `yaml:"maxAge"`
	SignalTimeout       span                      `yaml:"signalTimeout"`
}

type limitsConfig struct {
	PerProfile int           `yaml:"perProfile"`
	All        []limitConfig `yaml:"all"`
}

type limitConfig struct {
	Key         string `yaml:"key"`
	Max         int    `yaml:"max"`
	FairnessKey string `yaml:"fairnessKey"`
}

type searchAttributesConfig struct {
	Agent    string `yaml:"agent"`
	Status   string `yaml:"status"`
	Question string `yaml:"question"`
	Progress string `yaml:"progress"`
}

type versioningConfig struct {
	DeploymentName string `yaml:"deploymentName"`
	BuildID        string `yaml:"buildId"`
	Behavior       string `yaml:"behavior"`
}

type slotsConfig struct {
	Activities                   int     `yaml:"activities"`
	WorkflowTasks                int     `yaml:"workflowTasks"`
	ActivitiesPerSecond          float64 `yaml:"activitiesPerSecond"`
	TaskQueueActivitiesPerSecond float64 `yaml:"taskQueueActivitiesPerSecond"`
}

// span is a duration that is written with its unit, such as 20s. yaml itself would take a bare
// number for nanoseconds.
type span time.Duration

func (s *span) UnmarshalYAML(node *yaml.Node) error {
	d, err := time.ParseDuration(node.Value)
	if err != nil || node.Kind != yaml.ScalarNode {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: must be a duration with its unit, such as 20s or 5m", node.Line)}}
	}
	*s = span(d)
	return nil
}

// maxConfigBytes bounds the configuration file. A longer one is another file by mistake.
const maxConfigBytes = 1 << 20

// readConfig reads a configuration file. Errors name the line and never repeat a value, because a
// value may be a key that was pasted into the wrong place.
func readConfig(path string) (workerConfig, error) {
	var config workerConfig
	file, err := os.Open(path)
	if err != nil {
		return config, usageErrorf("--config: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxConfigBytes+1))
	if err != nil {
		return config, usageErrorf("--config: %w", err)
	}
	if len(text) > maxConfigBytes {
		return config, usageErrorf("--config %s: the file has more than 1 MiB; is it the right one?", path)
	}
	if err := parseConfig(text, &config); err != nil {
		return config, usageErrorf("--config %s: %w", path, err)
	}
	return config, nil
}

func parseConfig(text []byte, config *workerConfig) error {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	err := decoder.Decode(config)
	if err == nil {
		if err = decoder.Decode(new(yaml.Node)); err == nil {
			return errors.New("a second document begins after ---; write one document")
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	if mismatch, ok := errors.AsType[*yaml.TypeError](err); ok {
		problems := make([]string, len(mismatch.Errors))
		for i, problem := range mismatch.Errors {
			problems[i] = describeMismatch(problem)
		}
		return errors.New(strings.Join(problems, "; "))
	}
	return errors.New("no valid YAML: " + withoutValues(strings.TrimPrefix(err.Error(), "yaml: ")))
}

// The problems that yaml reports, with the parts that describeMismatch needs.
var (
	unknownField = regexp.MustCompile(`(?s)^(line \d+): field (.*) not found in type main\.(\w+)$`)
	wrongType    = regexp.MustCompile(`(?s)^(line \d+): cannot unmarshal .* into (\S+)$`)
	givenTwice   = regexp.MustCompile(`(?s)^(line \d+): (?:mapping key .* already defined|field .* already set)`)
	quoted       = regexp.MustCompile("(?s)`.{4,}`|'.{4,}'|\".{4,}\"")
	plainName    = regexp.MustCompile(`^[A-Za-z_-]{1,40}$`)
	inlineSecret = regexp.MustCompile(`(?i)^(api[_-]?)?(keys?|tokens?|secrets?|password|bearer|authorization)$`)
)

func withoutValues(text string) string { return quoted.ReplaceAllString(text, "...") }

// describeMismatch rewrites a problem of yaml for the operator: without values and Go types, and
// with the fields that are possible.
func describeMismatch(problem string) string {
	if m := unknownField.FindStringSubmatch(problem); m != nil {
		line, field, known := m[1], m[2], configFields[m[3]]
		switch {
		case inlineSecret.MatchString(field) && slices.Contains(known, "env"):
			return line + ": a secret does not belong in the file: put it into an environment variable or a file of its own, and name that in env or file"
		case inlineSecret.MatchString(field):
			return line + ": a key does not belong in the file: put it into an environment variable or a file of its own, and name that in apiKeyEnv or apiKeyFile of a connection"
		case !plainName.MatchString(field):
			field = "a field"
		}
		return fmt.Sprintf("%s: %s is unknown here; known are %s", line, field, strings.Join(known, ", "))
	}
	if m := wrongType.FindStringSubmatch(problem); m != nil {
		return m[1] + ": must be " + describeType(m[2])
	}
	if m := givenTwice.FindStringSubmatch(problem); m != nil {
		return m[1] + ": the same name stands above; write it once"
	}
	return withoutValues(problem)
}

// describeType describes a Go type of the configuration, by its name, in words of YAML.
func describeType(name string) string {
	_, structName, _ := strings.Cut(name, "main.")
	switch fields := configFields[structName]; {
	case strings.HasPrefix(name, "[]"):
		return "a list"
	case strings.HasPrefix(name, "map["):
		return "a mapping of names"
	case fields != nil:
		return "a mapping with " + strings.Join(fields, ", ")
	case strings.HasPrefix(name, "int"):
		return "a whole number"
	case strings.HasPrefix(name, "float"):
		return "a number"
	case name == "bool":
		return "true or false"
	}
	return "one text"
}

// configFields maps the struct types of the configuration to the names of their fields.
var configFields = collectFields(reflect.TypeFor[workerConfig](), map[string][]string{})

func collectFields(t reflect.Type, known map[string][]string) map[string][]string {
	switch t.Kind() {
	case reflect.Map, reflect.Slice, reflect.Pointer:
		collectFields(t.Elem(), known)
	case reflect.Struct:
		for field := range t.Fields() {
			known[t.Name()] = append(known[t.Name()], cmp.Or(field.Tag.Get("yaml"), field.Name))
			collectFields(field.Type, known)
		}
	}
	return known
}

// optionName matches the names of the library's options, alone or as HTTPS.Hosts.
var optionName = regexp.MustCompile(`(^|: )[A-Z]\w+(\.\w+)?|\bHTTPS\.\w+|\b[A-Z]\w*[a-z][A-Z]\w*`)

// inFieldNames rewrites the text of a library's error for the operator: with the fields of the file
// instead of the Go options, which have the same names but for the letter case.
func inFieldNames(problem string) string {
	return optionName.ReplaceAllStringFunc(strings.TrimPrefix(problem, "asteroid: "), func(option string) string {
		option, follows := strings.CutPrefix(option, ": ")
		words := strings.Split(option, ".")
		for i, word := range words {
			for _, fields := range configFields {
				if at := slices.IndexFunc(fields, func(field string) bool { return strings.EqualFold(field, word) }); at >= 0 {
					words[i] = fields[at]
				}
			}
		}
		if follows {
			words[0] = ": " + words[0]
		}
		return strings.Join(words, ".")
	})
}
