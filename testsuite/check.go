package testsuite

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

// check compares a JSON value with the Go type that was generated from its schema, and names every member
// that is unknown, missing, null or of a wrong type. encoding/json alone is too kind for that: it matches names
// without regard to case and takes null for any type.
func check(raw json.RawMessage, target any) []api.FieldError {
	return checkType(raw, reflect.TypeOf(target).Elem(), "body")
}

func checkType(raw json.RawMessage, typ reflect.Type, path string) []api.FieldError {
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
		return checkMembers(members, typ, path)
	case reflect.Map:
		var members map[string]json.RawMessage
		if json.Unmarshal(raw, &members) != nil || members == nil {
			return fault("must be an object")
		}
		var faults []api.FieldError
		for _, name := range slices.Sorted(maps.Keys(members)) {
			faults = append(faults, checkType(members[name], typ.Elem(), join(path, name))...)
		}
		return faults
	case reflect.Slice:
		var items []json.RawMessage
		if json.Unmarshal(raw, &items) != nil || items == nil {
			return fault("must be an array")
		}
		var faults []api.FieldError
		for i, item := range items {
			faults = append(faults, checkType(item, typ.Elem(), fmt.Sprintf("%s[%d]", path, i))...)
		}
		return faults
	default:
		if string(raw) == "null" || json.Unmarshal(raw, reflect.New(typ).Interface()) != nil {
			return fault("must be of type %s", jsonName(typ.Kind()))
		}
		return nil
	}
}

func checkMembers(members map[string]json.RawMessage, typ reflect.Type, path string) []api.FieldError {
	var faults []api.FieldError
	known := map[string]bool{}
	for field := range typ.Fields() {
		name, rest, _ := strings.Cut(field.Tag.Get("json"), ",")
		known[name] = true
		member, present := members[name]
		switch {
		case present:
			faults = append(faults, checkType(member, field.Type, join(path, name))...)
		case !strings.Contains(rest, "omitempty"):
			faults = append(faults, api.FieldError{Parameter: join(path, name), Detail: "is required"})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !known[name] {
			faults = append(faults, api.FieldError{Parameter: join(path, name), Detail: "is not a member of the contract"})
		}
	}
	return faults
}

// join leaves the word body out of the names of its members.
func join(path, name string) string {
	if path == "body" {
		return name
	}
	return path + "." + name
}

func jsonName(kind reflect.Kind) string {
	switch kind {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	default:
		return "integer"
	}
}
