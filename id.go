package asteroid

import (
	"fmt"
	"maps"
	"slices"

	"github.com/temporal-asteroid/asteroid/internal/text"
)

// checkID returns an asteroid.InvalidInput for an id that is empty or does not fit into one path
// segment of a request.
func checkID(field, id string) error {
	switch {
	case id == "":
		return NewInvalidInput(field, "is required")
	case !text.PlainID(id):
		return NewInvalidInput(field, fmt.Sprintf(
			"%q must be an id as the service gives it, of letters, digits, and - _ . ~",
			text.Clip(id)))
	}
	return nil
}

// checkOptionalID is checkID for an id that may be empty.
func checkOptionalID(field, id string) error {
	if id == "" {
		return nil
	}
	return checkID(field, id)
}

// sortedKeys gives the validation of a map an order, so that workflow code reports the same first
// mistake in every replay.
//
//workflowcheck:ignore
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
