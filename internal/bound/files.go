package bound

import (
	"encoding/json"
	"fmt"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/budget"
)

// Files returns an asteroid.InvalidInput about the field if a list of files is too large for a
// workflow's history.
func Files[File any](field string, list []File) error {
	if size := Size(list); size > budget.FileList {
		return asteroid.NewInvalidInput(field, fmt.Sprintf(
			"select %d files whose names and addresses have %d bytes, more than %d: select fewer at a time", len(list), size, budget.FileList))
	}
	return nil
}

// Size returns the size of a value in JSON, in bytes; 0 for one that is no JSON. The encoding of
// one value is always the same.
//
//workflowcheck:ignore
func Size(value any) int {
	encoded, err := json.Marshal(value)
	if err != nil {
		return 0
	}
	return len(encoded)
}
