package asteroid_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
)

func packageDoc(t *testing.T) string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	require.NoError(t, err)
	return file.Doc.Text()
}

// constants returns the values of a file's constants whose names match.
func constants(t *testing.T, file, name string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	require.NoError(t, err)
	var values []string
	ast.Inspect(parsed, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && regexp.MustCompile(name).MatchString(spec.Names[0].Name) {
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			values = append(values, value)
		}
		return true
	})
	require.NotEmpty(t, values)
	return values
}

func TestPackageDocListsEveryActivity(t *testing.T) {
	t.Parallel()
	doc := packageDoc(t)
	for _, name := range constants(t, "names.go", "Name$") {
		if name != asteroid.WatchWorkflowName && name != asteroid.LimiterWorkflowName {
			require.Regexp(t, `(?m)^\t`+regexp.QuoteMeta(name)+` `, doc)
		}
	}
}

func TestPackageDocListsEveryErrorTypeWithItsPredicate(t *testing.T) {
	t.Parallel()
	doc := packageDoc(t)
	for _, name := range constants(t, "errors.go", "^ErrorType") {
		predicate := "Is" + strings.TrimPrefix(name, "asteroid.")
		require.Regexp(t, `(?m)^\t`+regexp.QuoteMeta(name)+` +`+predicate+` `, doc)
		require.Contains(t, predicates, name, "the test of the predicates lacks one")
	}
}

func TestPackageDocListsEveryStatusUnderItsClass(t *testing.T) {
	t.Parallel()
	doc := packageDoc(t)
	for _, status := range constants(t, "status.go", "^Status") {
		class := string(asteroid.Status(status).Class())
		class = "Class" + strings.ToUpper(class[:1]) + class[1:]
		require.Regexp(t, `(?m)^\t`+class+` .*\b`+status+`\b`, doc)
	}
}

func TestPackageDocShowsTheInputOfTheExample(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	_, example, _ := strings.Cut(string(source), "func ExampleExecuteAgentInput() {")
	_, example, _ = strings.Cut(example, "// Output:\n")
	example, _, _ = strings.Cut(example, "\n}\n")
	example = strings.ReplaceAll(example, "\t// ", "\t")
	require.Contains(t, packageDoc(t), example)
}
