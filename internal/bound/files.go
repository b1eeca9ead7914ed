package bound

import (
	"encoding/json"
	"fmt"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/budget"
)

// Selection returns an asteroid.InvalidInput if the list of selected files is too large for a
// workflow's history.
func Selection(list []asteroid.OutputFile) error {
	return checkFiles("names", "select", "select fewer at a time, or set manifest", list)
}

// Manifest returns an asteroid.InvalidInput if the list of a manifest's files is too large.
func Manifest(count, size int) error {
	if size > budget.Manifest {
		return asteroid.NewInvalidInput("names", fmt.Sprintf(
			"select %d files whose list has %d bytes, more than %d: select fewer at a time", count, size, budget.Manifest))
	}
	return nil
}

// Uploads is Selection for the results of uploads, before they are made.
func Uploads[File any](list []File) error {
	return checkFiles("files", "are", "pass fewer at a time, with shorter names", list)
}

func checkFiles[File any](field, verb, advice string, list []File) error {
	if size := Size(list); size > budget.FileList {
		return asteroid.NewInvalidInput(field, fmt.Sprintf(
			"%s %d files whose names and addresses have %d bytes, more than %d: %s", verb, len(list), size, budget.FileList, advice))
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
