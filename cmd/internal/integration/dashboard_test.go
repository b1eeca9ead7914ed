package integration

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/internal/metrics"
)

// dashboard is what the test reads of a Grafana dashboard.
type dashboard struct {
	Panels []struct {
		Title   string
		Targets []struct{ Expr, LegendFormat string }
	}
	Templating struct {
		List []struct{ Name, Definition string }
	}
}

// requireDashboard requires that each query of the dashboard can be parsed, and that each of its
// selectors, labels and legends is in the scrape. Each metric of the table is in a query.
func requireDashboard(t *testing.T, scraped *scrape) {
	t.Helper()
	raw, err := os.ReadFile("../../../deploy/grafana/asteroid.json")
	require.NoError(t, err)
	var shown dashboard
	require.NoError(t, json.Unmarshal(raw, &shown))
	used := map[string]bool{}
	for _, panel := range shown.Panels {
		for _, target := range panel.Targets {
			requireQuery(t, scraped, panel.Title, target.Expr, target.LegendFormat, used)
		}
	}
	for _, m := range metrics.All {
		name := m.PrometheusName()
		require.True(t, used[name] || used[name+"_count"] || used[name+"_bucket"], "no panel shows %s", name)
	}
	values := regexp.MustCompile(`^label_values\((\w+), (\w+)\)$`)
	for _, variable := range shown.Templating.List {
		if variable.Definition == "" { // the data source
			continue
		}
		query := values.FindStringSubmatch(variable.Definition)
		require.NotNil(t, query, variable.Definition)
		found, _, err := scraped.find(labels.MustNewMatcher(labels.MatchEqual, "__name__", query[1]), labels.MustNewMatcher(labels.MatchRegexp, query[2], ".+"))
		require.NoError(t, err)
		require.NotEmpty(t, found, variable.Definition)
	}
}

func requireQuery(t *testing.T, scraped *scrape, panel, query, legend string, used map[string]bool) {
	t.Helper()
	replaced := strings.NewReplacer("$__rate_interval", "5m", "$__range", "1h", "$namespace", ".*", "$agent", ".*").Replace(query)
	require.NotContains(t, replaced, "$", panel)
	expr, err := parser.ParseExpr(replaced)
	require.NoError(t, err, panel)
	var grouped []string
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch node := node.(type) {
		case *parser.VectorSelector:
			used[node.Name] = true
			found, _, err := scraped.find(node.LabelMatchers...)
			require.NoError(t, err, panel)
			require.NotEmpty(t, found, "%s: nothing matches %s", panel, node)
		case *parser.AggregateExpr:
			grouped = append(grouped, node.Grouping...)
			for _, selector := range parser.ExtractSelectors(node.Expr) {
				found, _, _ := scraped.find(selector...)
				for _, label := range node.Grouping {
					require.True(t, slices.ContainsFunc(found, func(series map[string]string) bool { return series[label] != "" }),
						"%s: no series of %v has the label %s", panel, selector, label)
				}
			}
		}
		return nil
	})
	for _, label := range regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(legend, -1) {
		require.Contains(t, grouped, label[1], "%s: the legend names a label that the query drops", panel)
	}
}
