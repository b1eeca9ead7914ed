package testsuite

import (
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
)

// The page size without a parameter, and the largest: neither is published for every list, so these are the
// newest default and a bound that clients should stay below.
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

// slice cuts a page out of all rows.
func slice[T any](p page, rows []T) []T {
	from := min((p.number-1)*p.size, int64(len(rows)))
	return rows[from:min(from+p.size, int64(len(rows)))]
}

// unknownQuery refuses query parameters that params, a generated struct, does not have. A service would
// ignore them, and with them the filter that somebody meant to set.
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

// queried are the operations that have query parameters, whose handlers check them. All others have none.
var queried = []string{"AgentList", "ExecutionActivitiesGet", "ExecutionSyncGet", "ExecutionsList", "TempFilesUpload"}

// strictQuery refuses a query that cannot be parsed, as net/url drops what it does not understand and a filter with
// it, and every parameter of an operation that has none.
func strictQuery(mux *http.ServeMux, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, pattern := mux.Handler(r)
		var refused *reply
		if _, err := url.ParseQuery(r.URL.RawQuery); err != nil {
			refused = new(problem(http.StatusBadRequest, fmt.Sprintf("The query cannot be parsed: %v.", err)))
		} else if !slices.Contains(queried, operations[pattern]) {
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
