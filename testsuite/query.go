package testsuite

import (
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// The default page size and the maximum. The API does not publish them for every list: these are
// its newest default and a maximum that clients should stay below.
const (
	defaultPageSize = 50
	maxPageSize     = 100
)

type page struct{ number, size int64 }

func newPage(number, size *int32) (page, *reply) {
	p := page{number: 1, size: defaultPageSize}
	if number != nil {
		if *number < 1 {
			return p, new(invalid("page", "pages are counted from 1"))
		}
		p.number = int64(*number)
	}
	if size != nil {
		if *size < 1 || *size > maxPageSize {
			return p, new(invalid("pageSize", "must be from 1 to %d", maxPageSize))
		}
		p.size = int64(*size)
	}
	return p, nil
}

func pageOf[T any](p page, rows []T) []T {
	from := min((p.number-1)*p.size, int64(len(rows)))
	return rows[from:min(from+p.size, int64(len(rows)))]
}

// unknownQuery refuses query parameters that params, a generated struct, does not have. Ignoring
// them would ignore a filter that the client relies on.
func unknownQuery(r *http.Request, params any) *reply {
	var known []string
	for field := range reflect.TypeOf(params).Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("form"), ",")
		known = append(known, name)
	}
	for name := range r.URL.Query() {
		if !slices.Contains(known, name) {
			return new(invalid(name, "is not a parameter of the contract"))
		}
	}
	return nil
}

// operationsWithQuery are the operations with query parameters. Their handlers validate them.
var operationsWithQuery = []string{
	"AgentList", "ExecutionActivitiesGet", "ExecutionSyncGet", "ExecutionsList", "ProfileGetInboxEmails", "ProfileGroupMembersList",
	"ProfileGroupsList", "ProfilesList", "TempFilesUpload",
}

// strictQuery refuses a query that cannot be parsed, because net/url ignores the parts it does not
// understand, and with them a filter. It also refuses every parameter of an operation that has
// none.
func strictQuery(mux *http.ServeMux, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, pattern := mux.Handler(r)
		var refused *reply
		if _, err := url.ParseQuery(r.URL.RawQuery); err != nil {
			refused = new(problem(http.StatusBadRequest, fmt.Sprintf("The query cannot be parsed: %v.", err)))
		} else if !slices.Contains(operationsWithQuery, operations[pattern]) {
			refused = unknownQuery(r, struct{}{})
		}
		if refused != nil {
			badRequest(pattern, *refused).write(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func containsFold(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}

var bareOffset = regexp.MustCompile(`[+-]\d{2}(\d{2})$`)

// acceptBareOffsets rewrites times with an offset such as +0000 to the form of RFC 3339, +00:00.
// The vendor's Python SDKs send them, so the service accepts them.
func acceptBareOffsets(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query, changed := r.URL.Query(), false
		for _, name := range []string{"createdAfter", "createdBefore"} {
			for i, value := range query[name] {
				if at := bareOffset.FindStringSubmatchIndex(value); at != nil {
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
