package testsuite

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

// maxBody is the maximum size of a JSON request body in bytes.
const maxBody = 4 << 20

// decode reads a JSON body into target, a pointer to a struct of the contract. It refuses members
// that the contract does not have, and an absent body unless optional.
func decode(w http.ResponseWriter, r *http.Request, target any, optional bool) *reply {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		status := http.StatusBadRequest
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			status = http.StatusRequestEntityTooLarge
		}
		return new(problem(status, fmt.Sprintf("The body cannot be read: %v.", err)))
	}
	if len(raw) == 0 && optional {
		return nil
	}
	if media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(media), "application/json") {
		return new(problem(http.StatusBadRequest, fmt.Sprintf("The body must be application/json, not %q.", media)))
	}
	if !json.Valid(raw) {
		return new(problem(http.StatusBadRequest, "The body is not valid JSON."))
	}
	if faults := validateJSON(raw, target); len(faults) > 0 {
		return new(problem(http.StatusBadRequest, faults[0].Parameter+": "+faults[0].Detail, faults...))
	}
	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	decoder.UseNumber() // returns numbers to clients with every digit
	if err := decoder.Decode(target); err != nil {
		return new(problem(http.StatusBadRequest, fmt.Sprintf("The body does not fit: %v.", err)))
	}
	return nil
}

// validateJSON compares a JSON value with the Go type that was generated from its schema. It
// returns every member that is unknown, missing, null or of a wrong type. encoding/json is not
// strict enough: it ignores the case of names and accepts null for any type.
func validateJSON(raw json.RawMessage, target any) []api.FieldError {
	return validateType(raw, reflect.TypeOf(target).Elem(), "body")
}

func validateType(raw json.RawMessage, typ reflect.Type, path string) []api.FieldError {
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	fault := func(format string, args ...any) []api.FieldError {
		return []api.FieldError{{Parameter: path, Detail: fmt.Sprintf(format, args...)}}
	}
	switch typ.Kind() {
	case reflect.Interface:
		return nil
	case reflect.Struct:
		var members map[string]json.RawMessage
		if json.Unmarshal(raw, &members) != nil || members == nil {
			return fault("must be an object")
		}
		return validateMembers(members, typ, path)
	case reflect.Map:
		var members map[string]json.RawMessage
		if json.Unmarshal(raw, &members) != nil || members == nil {
			return fault("must be an object")
		}
		var faults []api.FieldError
		for _, name := range slices.Sorted(maps.Keys(members)) {
			faults = append(faults, validateType(members[name], typ.Elem(), memberPath(path, name))...)
		}
		return faults
	case reflect.Slice:
		var items []json.RawMessage
		if json.Unmarshal(raw, &items) != nil || items == nil {
			return fault("must be an array")
		}
		var faults []api.FieldError
		for i, item := range items {
			faults = append(faults, validateType(item, typ.Elem(), fmt.Sprintf("%s[%d]", path, i))...)
		}
		return faults
	default:
		if string(raw) == "null" || json.Unmarshal(raw, reflect.New(typ).Interface()) != nil {
			return fault("must be of type %s", jsonTypeName(typ.Kind()))
		}
		return nil
	}
}

func validateMembers(members map[string]json.RawMessage, typ reflect.Type, path string) []api.FieldError {
	var faults []api.FieldError
	known := map[string]bool{}
	for field := range typ.Fields() {
		name, rest, _ := strings.Cut(field.Tag.Get("json"), ",")
		known[name] = true
		member, present := members[name]
		switch {
		case present:
			faults = append(faults, validateType(member, field.Type, memberPath(path, name))...)
		case !strings.Contains(rest, "omitempty"):
			faults = append(faults, api.FieldError{Parameter: memberPath(path, name), Detail: "is required"})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !known[name] {
			faults = append(faults, api.FieldError{Parameter: memberPath(path, name), Detail: "is not a member of the contract"})
		}
	}
	return faults
}

// memberPath omits the word body from the paths of its members.
func memberPath(path, name string) string {
	if path == "body" {
		return name
	}
	return path + "." + name
}

func jsonTypeName(kind reflect.Kind) string {
	switch kind {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	default:
		return "integer"
	}
}
