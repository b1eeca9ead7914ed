package testsuite

import (
	"net/http"
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

func containsFold(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}
