package testsuite

import (
	"net/http"
	"regexp"
)

var bareZone = regexp.MustCompile(`[+-]\d{2}(\d{2})$`)

// acceptZones rewrites the times in a query that have a zone such as +0000, which RFC 3339 would write +00:00: the
// vendor's Python SDKs send them, so the service takes them.
func acceptZones(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query, changed := r.URL.Query(), false
		for _, name := range []string{"createdAfter", "createdBefore"} {
			for i, value := range query[name] {
				if at := bareZone.FindStringSubmatchIndex(value); at != nil {
					query[name][i], changed = value[:at[2]]+":"+value[at[2]:], true
				}
			}
		}
		if changed {
			rewritten, target := *r, *r.URL
			target.RawQuery = query.Encode()
			rewritten.URL = &target
			r = &rewritten
		}
		next.ServeHTTP(w, r)
	})
}
