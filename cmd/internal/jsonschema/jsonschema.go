// Package jsonschema checks results of agents against the JSON Schemas that the agents declare. It
// lets a worker's Options.SchemaChecker use a library that not every user has to link.
package jsonschema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

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
	invalid, err := validate(compiled, instance)
	if err != nil {
		return nil, err
	}
	failed, ok := errors.AsType[*validator.ValidationError](invalid)
	if !ok {
		return nil, nil
	}
	return describe(failed, nil), nil
}

// patience bounds a validation. A small schema can take longer than the universe is old.
const patience = 10 * time.Second

// hanging holds a slot for each validation that was given up: nothing can stop it.
var hanging = make(chan struct{}, 2)

// validate returns the mismatch, or an error if the validation takes too long.
func validate(schema *validator.Schema, instance any) (mismatch, err error) {
	select {
	case hanging <- struct{}{}:
	case <-time.After(patience):
		return nil, errors.New("other schemas take too long")
	}
	done := make(chan error, 1)
	go func() {
		done <- schema.Validate(instance)
		<-hanging
	}()
	select {
	case mismatch = <-done:
		return mismatch, nil
	case <-time.After(patience):
		return nil, fmt.Errorf("the check takes longer than %s: the schema refers to itself too often", patience)
	}
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
