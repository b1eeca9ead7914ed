package rows

import (
	"encoding/json"
	"strconv"
	"strings"
)

// Field returns the member of a JSON value at a path such as claim.number or items.0.price, or nil
// if there is none. A member whose own name has a dot is found too.
func Field(value json.RawMessage, path string) json.RawMessage {
	var object map[string]json.RawMessage
	var list []json.RawMessage
	first, rest, more := strings.Cut(path, ".")
	var member json.RawMessage
	switch {
	case json.Unmarshal(value, &object) == nil:
		if whole, ok := object[path]; ok {
			return whole
		}
		member = object[first]
	case json.Unmarshal(value, &list) == nil:
		if i, err := strconv.Atoi(first); err == nil && i >= 0 && i < len(list) {
			member = list[i]
		}
	}
	if !more || member == nil {
		return member
	}
	return Field(member, rest)
}
