// Package attributes finds out which search attributes a namespace has, and creates them. A
// workflow that sets one that its namespace lacks is stuck until somebody adds it.
package attributes

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	sdkclient "go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid"
)

// Types are custom search attributes: their types, by name.
type Types map[string]enums.IndexedValueType

// Keywords returns what the type of each of the search attributes has to be.
func Keywords(wanted asteroid.SearchAttributes) Types {
	types := Types{}
	for _, name := range wanted.Names() {
		types[name] = enums.INDEXED_VALUE_TYPE_KEYWORD
	}
	return types
}

// List returns the custom search attributes of a namespace, never nil without an error.
func List(ctx context.Context, c sdkclient.Client, namespace string) (Types, error) {
	listed, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return nil, fmt.Errorf("list the search attributes of namespace %q: %w", namespace, err)
	}
	types := Types{}
	maps.Copy(types, listed.GetCustomAttributes())
	return types, nil
}

// missing returns the wanted search attributes whose names the namespace lacks.
func (t Types) missing(wanted Types) Types {
	missing := maps.Clone(wanted)
	maps.DeleteFunc(missing, func(name string, _ enums.IndexedValueType) bool { _, ok := t[name]; return ok })
	return missing
}

// Problem says which of the wanted search attributes the namespace lacks, or has with another type,
// and what to do. It is empty if there is none.
func (t Types) Problem(namespace string, wanted Types) string {
	var problems []string
	missing := t.missing(wanted)
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		switch want, got := wanted[name], t[name]; {
		case missing[name] != 0:
			problems = append(problems, "lacks the search attribute "+name)
		case got != want:
			problems = append(problems, fmt.Sprintf("has the search attribute %s with the type %s and not %s", name, got, want))
		}
	}
	if len(problems) == 0 {
		return ""
	}
	problem := fmt.Sprintf("namespace %q %s", namespace, strings.Join(problems, ", "))
	if len(missing) > 0 {
		problem += ": create it by worker.EnsureSearchAttributes, or by " + command(namespace, missing)
	}
	return problem
}

// command returns the command line that creates search attributes.
func command(namespace string, types Types) string {
	line := "temporal operator search-attribute create --namespace " + namespace
	for _, name := range slices.Sorted(maps.Keys(types)) {
		line += " --name " + name + " --type " + types[name].String()
	}
	return line
}
