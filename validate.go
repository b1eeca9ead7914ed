package asteroid

import (
	"fmt"
	"maps"
	"slices"

	"github.com/temporal-asteroid/asteroid/internal/text"
)

const idRule = "must be an id as the service gives it, of letters, digits, and - _ . ~"

func checkID(field, id string) error {
	switch {
	case id == "":
		return NewInvalidInput(field, "is required")
	case !text.PlainID(id):
		return NewInvalidInput(field, fmt.Sprintf("%q %s", text.Clip(id), idRule))
	}
	return nil
}

// sortedKeys makes the first mistake that is told the same in every run, also in workflow code.
//
//workflowcheck:ignore
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
