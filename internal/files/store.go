package files

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/temporal-asteroid/asteroid"
)

var schemePattern = regexp.MustCompile(`^[a-z][a-z0-9+.-]*$`)

// BuiltinSchemes are the schemes that a Store cannot replace.
var BuiltinSchemes = []string{"data", "file", "http", "https", asteroid.ExecutionScheme, asteroid.ManifestScheme}

// CheckStores returns an error that names the first scheme of Stores that is invalid, built in or
// without a store.
func CheckStores(stores map[string]asteroid.Store) error {
	for _, scheme := range slices.Sorted(maps.Keys(stores)) {
		switch {
		case !schemePattern.MatchString(scheme):
			return fmt.Errorf("Stores has the scheme %q: write it in lower case, without the colon, such as s3", scheme)
		case slices.Contains(BuiltinSchemes, scheme):
			return fmt.Errorf("Stores has the scheme %q, which is built in: choose another one", scheme)
		case stores[scheme] == nil:
			return fmt.Errorf("Stores[%q] is nil", scheme)
		}
	}
	return nil
}
