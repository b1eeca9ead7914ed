// Package attributes finds out which search attributes a namespace has. A workflow that sets one
// that its namespace lacks is stuck until somebody adds it.
package attributes

import (
	"context"
	"fmt"
	"maps"
	"strings"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	sdkclient "go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid"
)

// Types are the types of a namespace's custom search attributes, by name.
type Types map[string]enums.IndexedValueType

// List returns the custom search attributes of a namespace.
func List(ctx context.Context, c sdkclient.Client, namespace string) (Types, error) {
	listed, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return nil, fmt.Errorf("list the search attributes of namespace %q: %w", namespace, err)
	}
	types := Types{} // nil would mean that they are not known
	maps.Copy(types, listed.GetCustomAttributes())
	return types, nil
}

// Usable reports whether workflows can set the search attribute to a keyword.
func (t Types) Usable(name string) bool { return t[name] == enums.INDEXED_VALUE_TYPE_KEYWORD }

// Missing returns the names that the namespace lacks.
func (t Types) Missing(wanted asteroid.SearchAttributes) (names []string) {
	for _, name := range wanted.Names() {
		if _, ok := t[name]; !ok {
			names = append(names, name)
		}
	}
	return names
}

// Problem says which search attributes workflows cannot set, why, and what to do. It is empty if
// they can set all of them.
func (t Types) Problem(namespace string, wanted asteroid.SearchAttributes) string {
	var problems []string
	for _, name := range wanted.Names() {
		switch known, ok := t[name]; {
		case !ok:
			problems = append(problems, "lacks the search attribute "+name)
		case !t.Usable(name):
			problems = append(problems, fmt.Sprintf("has the search attribute %s with the type %s and not Keyword", name, known))
		}
	}
	if len(problems) == 0 {
		return ""
	}
	problem := fmt.Sprintf("namespace %q %s", namespace, strings.Join(problems, ", "))
	if missing := t.Missing(wanted); len(missing) > 0 {
		problem += ": create it by worker.EnsureSearchAttributes, or by " + Command(namespace, missing)
	}
	return problem
}

// Command returns the command line that creates search attributes.
func Command(namespace string, names []string) string {
	command := "temporal operator search-attribute create --namespace " + namespace
	for _, name := range names {
		command += " --name " + name + " --type Keyword"
	}
	return command
}
