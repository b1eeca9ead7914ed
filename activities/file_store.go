package activities

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
)

var schemePattern = regexp.MustCompile(`^[a-z][a-z0-9+.-]*$`)

// ownSchemes are those that a Store cannot replace.
var ownSchemes = []string{"data", "file", "http", "https", ExecutionScheme}

func checkStores(stores map[string]Store) error {
	for _, scheme := range slices.Sorted(maps.Keys(stores)) {
		switch {
		case !schemePattern.MatchString(scheme):
			return fmt.Errorf("Stores has the scheme %q: write it in lower case, without the colon, such as s3", scheme)
		case slices.Contains(ownSchemes, scheme):
			return fmt.Errorf("Stores has the scheme %q, which is not free", scheme)
		case stores[scheme] == nil:
			return fmt.Errorf("Stores[%q] is nil", scheme)
		}
	}
	return nil
}
