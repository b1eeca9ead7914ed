// Package jsonschema checks results of agents against the JSON Schemas that the agents declare. It
// lets a worker's Options.SchemaChecker use a library that not every user has to link.
package jsonschema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	validator "github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// Check is an asteroid.SchemaChecker. A schema that refers to another document cannot be used:
// nothing is loaded.
func Check(schema, value json.RawMessage) (mismatches []string, err error) {
	document, err := validator.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return nil, fmt.Errorf("the schema is not JSON: %w", err)
	}
	compiler := validator.NewCompiler()
	compiler.UseLoader(noLoader{})
	if err := compiler.AddResource("result.json", document); err != nil {
		return nil, err
	}
	compiled, err := compiler.Compile("result.json")
	if err != nil {
		return nil, err
	}
	instance, err := validator.UnmarshalJSON(bytes.NewReader(value))
	if err != nil {
		return nil, fmt.Errorf("the result is not JSON: %w", err)
	}
	failed, ok := errors.AsType[*validator.ValidationError](compiled.Validate(instance))
	if !ok {
		return nil, nil
	}
	return describe(failed, nil), nil
}

// describe returns the innermost errors, in the order of the schema.
func describe(failed *validator.ValidationError, found []string) []string {
	for _, cause := range failed.Causes {
		found = describe(cause, found)
	}
	if len(failed.Causes) == 0 {
		at := "the result"
		if len(failed.InstanceLocation) > 0 {
			at = strings.Join(failed.InstanceLocation, ".")
		}
		found = append(found, at+": "+failed.ErrorKind.LocalizedString(message.NewPrinter(language.English)))
	}
	return found
}

// noLoader refuses to load schemas from files or hosts that a schema names.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("the schema refers to %s, which is not loaded", url)
}
