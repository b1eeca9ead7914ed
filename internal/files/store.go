package files

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/temporal-asteroid/asteroid"
)

var schemePattern = regexp.MustCompile(`^[a-z][a-z0-9+.-]*$`)

// ownSchemes are those that a Store cannot replace.
var OwnSchemes = []string{"data", "file", "http", "https", asteroid.ExecutionScheme}

func CheckStores(stores map[string]asteroid.Store) error {
	for _, scheme := range slices.Sorted(maps.Keys(stores)) {
		switch {
		case !schemePattern.MatchString(scheme):
			return fmt.Errorf("Stores has the scheme %q: write it in lower case, without the colon, such as s3", scheme)
		case slices.Contains(OwnSchemes, scheme):
			return fmt.Errorf("Stores has the scheme %q, which is not free", scheme)
		case stores[scheme] == nil:
			return fmt.Errorf("Stores[%q] is nil", scheme)
		}
	}
	return nil
}
