package asteroid

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"strconv"
	"strings"

	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid/internal/text"
)

const firstSchema = 1

// inputSchema is the version of the inputs. It grows when an input gets a member, so that a worker
// can tell a member of a newer version from a mistake. Inputs carry it as their member schema. The
// first version leaves it out.
const inputSchema = firstSchema

// DecodeInput decodes a JSON input into the struct that v points to, member by member. It fails
// with asteroid.InvalidInput for a member that is unknown, written in another letter case, given
// twice or of another type, and names it by its path. null counts as absent. An unknown member of
// an input whose member schema is newer than this version is an asteroid.Unavailable, which is
// retried: a newer worker takes it. With either error v holds what could be decoded. data must be
// valid JSON. DecodeInput exists for the other packages of this module.
func DecodeInput(data []byte, v any) error {
	return decodeInput(data, v).check()
}

// decodedInput is what could not be decoded of an input. nil means nothing.
type decodedInput struct {
	schema   int
	problems []problem
	members  map[string]json.RawMessage // the top-level ones with problems
}

// problem is a rule that a member breaks.
type problem struct {
	path, rule string
	unknown    bool
}

// decodeInput decodes all that it can and returns the problems, or nil if there are none.
func decodeInput(data []byte, v any) *decodedInput {
	d := &decodedInput{members: map[string]json.RawMessage{}}
	target := reflect.ValueOf(v).Elem()
	if kind := jsonKind(data); kind == kindNull {
		return nil
	} else if kind != kindObject {
		d.problems = []problem{{path: "input", rule: "must be one JSON object, not " + kind}}
		return d
	}
	fields := jsonFields(target.Type())
	seen := map[string]bool{}
	_ = eachMember(data, func(name string, raw json.RawMessage) {
		before := len(d.problems)
		if name == "schema" {
			_ = json.Unmarshal(raw, &d.schema)
			return
		}
		d.member(target, fields, seen, name, raw, name)
		if len(d.problems) > before {
			d.members[name] = raw
		}
	})
	if len(d.problems) == 0 {
		return nil
	}
	return d
}

func (d *decodedInput) report(path, format string, args ...any) {
	d.problems = append(d.problems, problem{path: path, rule: fmt.Sprintf(format, args...)})
}

// check returns the error of an input with problems.
func (d *decodedInput) check() error {
	if d == nil {
		return nil
	}
	first := d.problems[0]
	if more := len(d.problems) - 1; more > 0 {
		first.rule += fmt.Sprintf(" (and %d more problems)", more)
	}
	if first.unknown && d.schema > inputSchema {
		return temporal.NewApplicationErrorWithOptions(
			fmt.Sprintf("%s: comes from a newer version of the library; a worker of that version takes it", first.path),
			ErrorTypeUnavailable, temporal.ApplicationErrorOptions{Details: []any{ErrorDetails{Field: first.path}}})
	}
	return NewInvalidInput(first.path, first.rule)
}

// encode returns the JSON of an input, with the members that had problems as they were: what
// decodes it judges them.
func (d *decodedInput) encode(plain any) ([]byte, error) {
	raw, err := json.Marshal(plain)
	if err != nil {
		return nil, err
	}
	schema := inputSchema
	if d != nil {
		schema = max(schema, d.schema)
	}
	if d == nil && schema == firstSchema {
		return raw, nil
	}
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, err
	}
	if d != nil {
		maps.Copy(members, d.members)
	}
	members["schema"] = fmt.Append(nil, schema)
	return json.Marshal(members)
}

// value decodes one JSON value into a field, an item or a member of a map.
func (d *decodedInput) value(target reflect.Value, raw json.RawMessage, path string) {
	kind := jsonKind(raw)
	if kind == kindNull {
		return
	}
	custom, isCustom := reflect.TypeAssert[json.Unmarshaler](target.Addr())
	switch t := target.Type(); {
	case isCustom: // not by json.Unmarshal, which would scan a large input twice more
		if custom.UnmarshalJSON(raw) != nil {
			d.report(path, "must be %s, not %s", wantedKind(t), kind)
		}
	case t.Kind() == reflect.Interface, isBytes(t):
		if isBytes(t) && kind != kindString || json.Unmarshal(raw, target.Addr().Interface()) != nil {
			d.report(path, "must be %s, not %s", wantedKind(t), kind)
		}
	case t.Kind() == reflect.Pointer:
		target.Set(reflect.New(t.Elem()))
		d.value(target.Elem(), raw, path)
	case wantedKind(t) != kind:
		d.report(path, "must be %s, not %s", wantedKind(t), kind)
	case t.Kind() == reflect.Struct:
		fields, seen := jsonFields(t), map[string]bool{}
		_ = eachMember(raw, func(name string, value json.RawMessage) { d.member(target, fields, seen, name, value, path+"."+name) })
	case t.Kind() == reflect.Slice:
		var items []json.RawMessage
		_ = json.Unmarshal(raw, &items)
		target.Set(reflect.MakeSlice(t, len(items), len(items)))
		for i, item := range items {
			if at := fmt.Sprintf("%s[%d]", path, i); jsonKind(item) == kindNull {
				d.report(at, "must be %s, not null", wantedKind(t.Elem()))
			} else {
				d.value(target.Index(i), item, at)
			}
		}
	case t.Kind() == reflect.Map:
		target.Set(reflect.MakeMap(t))
		_ = eachMember(raw, func(name string, value json.RawMessage) {
			if jsonKind(value) == kindNull {
				return
			}
			item := reflect.New(t.Elem()).Elem()
			d.value(item, value, path+"."+text.Clip(name))
			target.SetMapIndex(reflect.ValueOf(name).Convert(t.Key()), item)
		})
	default:
		if json.Unmarshal(whole(raw), target.Addr().Interface()) != nil {
			d.report(path, "must be a whole number in the range of its kind, not %s", text.Clip(string(raw)))
		}
	}
}

// whole writes a number without a fraction as an integer. Some languages have one kind of number
// and send 60 as 60.0.
func whole(raw json.RawMessage) json.RawMessage {
	const exact = 1 << 53
	if f, err := strconv.ParseFloat(string(raw), 64); err == nil && f == math.Trunc(f) && math.Abs(f) <= exact && bytes.ContainsAny(raw, ".eE") {
		return strconv.AppendFloat(nil, f, 'f', -1, 64)
	}
	return raw
}

// internalMember is the member of an input that only code of this module sets. A newer worker may
// have added members to it.
const internalMember = "internal"

// passedOn is a type whose values a worker passes on. A newer worker may have added members to it.
var passedOn = reflect.TypeFor[StagedFile]()

// member decodes a member of a struct.
func (d *decodedInput) member(target reflect.Value, fields map[string][]int, seen map[string]bool, name string, raw json.RawMessage, path string) {
	index, known := fields[name]
	switch {
	case known && seen[name]:
		d.report(path, "is given twice")
	case known && name == internalMember:
		_ = json.Unmarshal(raw, target.FieldByIndex(index).Addr().Interface())
	case known:
		d.value(target.FieldByIndex(index), raw, path)
	case target.Type() != passedOn:
		d.problems = append(d.problems, problem{path: clipPath(path), rule: "is unknown: " + suggest(name, fields), unknown: true})
	}
	seen[name] = true
}

// clipPath bounds a path whose last name somebody else chose.
func clipPath(path string) string { return text.Clip(path) }

// jsonFields returns the fields of a struct by their JSON names, those of embedded structs too.
func jsonFields(t reflect.Type) map[string][]int {
	fields := map[string][]int{}
	for _, field := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name != "" && name != "-" && field.IsExported() {
			fields[name] = field.Index
		}
	}
	return fields
}

// suggest returns which member an unknown one was probably meant to be, else all that there are.
func suggest(name string, fields map[string][]int) string {
	if near := text.Nearest(name, sortedKeys(fields)); near != "" {
		return "did you mean " + near + "?"
	}
	return "the members are " + strings.Join(sortedKeys(fields), ", ")
}

// The kinds of JSON values, as an error names them.
const (
	kindNull   = "null"
	kindObject = "an object"
	kindArray  = "an array"
	kindString = "a string"
	kindBool   = "true or false"
	kindNumber = "a number"
)

func jsonKind(raw []byte) string {
	switch raw = bytes.TrimLeft(raw, " \t\r\n"); {
	case len(raw) == 0 || raw[0] == 'n':
		return kindNull
	case raw[0] == '{':
		return kindObject
	case raw[0] == '[':
		return kindArray
	case raw[0] == '"':
		return kindString
	case raw[0] == 't' || raw[0] == 'f':
		return kindBool
	default:
		return kindNumber
	}
}

// wantedKind returns the kind of JSON value that a type is decoded from.
func wantedKind(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return kindString
	case reflect.Bool:
		return kindBool
	case reflect.Slice:
		if isBytes(t) {
			return "a string in base64"
		}
		return kindArray
	case reflect.Map:
		return kindObject
	case reflect.Struct:
		if t.PkgPath() == "time" {
			return "a time in RFC 3339"
		}
		return kindObject
	default:
		return kindNumber
	}
}

func isBytes(t reflect.Type) bool { return t == reflect.TypeFor[[]byte]() }

var errNoObject = errors.New("not a JSON object")

// eachMember calls visit for each member of an object, in order.
func eachMember(raw []byte, visit func(name string, value json.RawMessage)) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return errNoObject
	}
	for decoder.More() {
		token, err := decoder.Token()
		name, ok := token.(string)
		var value json.RawMessage
		if err != nil || !ok || decoder.Decode(&value) != nil {
			return errNoObject
		}
		visit(name, value)
	}
	return nil
}
