package rows

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// everyColumn among the input columns stands for all.
const everyColumn = "*"

// Template is a JSON object with placeholders, into which a row's values go.
type Template struct {
	pieces       []piece
	columns      []string // that placeholders name
	inputColumns []string
	inputs       map[string]bool // that the template has itself
}

// piece is a part of the object's JSON.
type piece struct {
	literal []byte
	column  string // the placeholder after it; empty if there is none
	within  bool   // the placeholder is in a text
	inputs  bool   // the input columns come after it
}

// NewTemplate parses a template. The input columns become members of its object inputs.
func NewTemplate(raw json.RawMessage, inputColumns []string) (*Template, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var decoded map[string]any
	if err := decoder.Decode(&decoded); err != nil || decoded == nil {
		return nil, asteroid.NewInvalidInput("template", "must be a JSON object, the input of asteroid.RunAgent")
	}
	inputs, isObject := decoded["inputs"].(map[string]any)
	if decoded["inputs"] != nil && !isObject {
		return nil, asteroid.NewInvalidInput("template.inputs", "must be an object")
	}
	t := &Template{inputColumns: inputColumns, inputs: map[string]bool{}}
	for name := range inputs {
		t.inputs[name] = true
	}
	if len(inputColumns) > 0 && inputs == nil {
		decoded["inputs"] = map[string]any{}
	}
	if err := t.add(decoded, ""); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *Template) write(literal string) {
	if last := len(t.pieces) - 1; last < 0 || t.pieces[last].column != "" || t.pieces[last].inputs {
		t.pieces = append(t.pieces, piece{})
	}
	last := &t.pieces[len(t.pieces)-1]
	last.literal = append(last.literal, literal...)
}

// add adds the JSON of a value at a path.
func (t *Template) add(value any, path string) error {
	switch value := value.(type) {
	case map[string]any:
		t.write("{")
		for i, name := range slices.Sorted(maps.Keys(value)) {
			if !strings.HasPrefix(path, "inputs") && strings.Contains(name, "{{") {
				return asteroid.NewInvalidInput("template."+text.Clip(path), "has {{ in the name "+text.Clip(name)+": only values stand for columns")
			}
			if i > 0 {
				t.write(",")
			}
			t.write(string(Quote(name)) + ":")
			if err := t.add(value[name], strings.TrimPrefix(path+"."+name, ".")); err != nil {
				return err
			}
		}
		if path == "inputs" && len(t.inputColumns) > 0 {
			t.write("")
			t.pieces[len(t.pieces)-1].inputs = true
		}
		t.write("}")
	case []any:
		t.write("[")
		for i, item := range value {
			if i > 0 {
				t.write(",")
			}
			if err := t.add(item, fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
		t.write("]")
	case string:
		return t.addText(value, path)
	default:
		encoded, err := json.Marshal(value)
		if err != nil {
			return asteroid.NewInvalidInput("template."+text.Clip(path), err.Error())
		}
		t.write(string(encoded))
	}
	return nil
}

// addText adds a string, which may have placeholders.
func (t *Template) addText(value, path string) error {
	var parts []piece
	literal := ""
	for rest := value; rest != ""; {
		at := strings.Index(rest, "{{")
		if at < 0 {
			literal += rest
			break
		}
		literal, rest = literal+rest[:at], rest[at:]
		if strings.HasPrefix(rest, "{{{{") {
			literal, rest = literal+"{{", rest[len("{{{{"):]
			continue
		}
		name, after, closed := strings.Cut(rest[len("{{"):], "}}")
		name = strings.TrimSpace(name)
		if !closed || name == "" {
			return asteroid.NewInvalidInput("template."+text.Clip(path), "has {{ without the name of a column and }}: write {{{{ for {{ itself")
		}
		parts = append(parts, piece{literal: []byte(literal), column: name, within: true})
		if !slices.Contains(t.columns, name) {
			t.columns = append(t.columns, name)
		}
		literal, rest = "", after
	}
	isInput := strings.HasPrefix(path, "inputs.") // only inputs have types of their own
	if isInput && len(parts) == 1 && literal == "" && len(parts[0].literal) == 0 {
		t.write("")
		t.pieces[len(t.pieces)-1].column = parts[0].column
		return nil
	}
	t.write(`"`)
	for _, part := range parts {
		t.write(inner(string(part.literal)))
		last := &t.pieces[len(t.pieces)-1]
		last.column, last.within = part.column, true
	}
	t.write(inner(literal) + `"`)
	return nil
}

// inner returns a text as a part of a JSON string.
func inner(s string) string {
	quoted := Quote(s)
	return string(quoted[1 : len(quoted)-1])
}

// CheckColumns returns an asteroid.InvalidInput if a placeholder or an input column names none of
// the columns.
func (t *Template) CheckColumns(columns []string) error {
	for _, name := range t.columns {
		if err := CheckColumn("template", columns, name); err != nil {
			return err
		}
	}
	for _, name := range t.inputColumns {
		if name == everyColumn {
			continue
		}
		if err := CheckColumn("inputColumns", columns, name); err != nil {
			return err
		}
	}
	return nil
}

// CheckColumn returns an asteroid.InvalidInput about a field that names none of the columns.
func CheckColumn(field string, columns []string, name string) error {
	if slices.Contains(columns, name) {
		return nil
	}
	advice := "there are none"
	if near := text.Nearest(name, columns); near != "" {
		advice = "did you mean " + text.Clip(near) + "?"
	} else if len(columns) > 0 {
		const most = 20
		listed := columns[:min(len(columns), most)]
		clipped := make([]string, len(listed))
		for i, column := range listed {
			clipped[i] = text.Clip(column)
		}
		advice = "the columns are " + strings.Join(clipped, ", ")
		if more := len(columns) - most; more > 0 {
			advice += fmt.Sprintf(" and %d more", more)
		}
	}
	return asteroid.NewInvalidInput(field, fmt.Sprintf("the rows have no column %s: %s", text.Clip(name), text.Prose(advice, 600)))
}

// Columns returns the columns that a row's input is made of.
func (t *Template) Columns(all []string) []string {
	if slices.Contains(t.inputColumns, everyColumn) {
		return all
	}
	used := slices.Clone(t.columns)
	for _, name := range t.inputColumns {
		if !slices.Contains(used, name) {
			used = append(used, name)
		}
	}
	return used
}

// Expand returns the template with a row's values. An input that is nothing but a placeholder
// becomes the value itself; all else are texts. A column that the row lacks is null, or nothing
// within a text.
func (t *Template) Expand(cells map[string]json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	for _, p := range t.pieces {
		b.Write(p.literal)
		switch {
		case p.inputs:
			t.expandInputs(&b, cells)
		case p.column != "" && p.within:
			b.WriteString(inner(Text(cells[p.column])))
		case p.column != "" && len(cells[p.column]) == 0:
			b.WriteString("null")
		case p.column != "":
			b.Write(cells[p.column])
		}
	}
	return b.Bytes()
}

// expandInputs writes the input columns behind the inputs that the template has itself.
func (t *Template) expandInputs(b *bytes.Buffer, cells map[string]json.RawMessage) {
	names := t.inputColumns
	if slices.Contains(names, everyColumn) {
		names = slices.Collect(maps.Keys(cells))
	}
	separator := ""
	if len(t.inputs) > 0 {
		separator = ","
	}
	names = slices.Sorted(slices.Values(names))
	for _, name := range slices.Compact(names) {
		if value := cells[name]; len(value) > 0 && !t.inputs[name] {
			b.WriteString(separator)
			b.Write(Quote(name))
			b.WriteByte(':')
			b.Write(value)
			separator = ","
		}
	}
}

// Text returns a value as a text: that of a string, else its JSON, and nothing for null.
func Text(value json.RawMessage) string {
	switch {
	case len(value) == 0, string(value) == "null":
		return ""
	case value[0] == '"':
		var s string
		if json.Unmarshal(value, &s) == nil {
			return s
		}
	}
	return string(value)
}
