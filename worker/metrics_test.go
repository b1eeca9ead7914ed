package worker_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/internal/metrics"
)

// documentedMetrics returns the table of the package comment, as metrics.All says it.
func documentedMetrics() string {
	var table strings.Builder
	for _, m := range metrics.All {
		line := "//   -"
		for word := range strings.FieldsSeq(fmt.Sprintf("%s (%s; %s): %s", m.PrometheusName(), m.Kind, strings.Join(m.Labels, ", "), m.Help)) {
			if len(line)+1+len(word) > 100 {
				table.WriteString(line + "\n")
				line = "//    "
			}
			line += " " + word
		}
		table.WriteString(line + "\n")
	}
	return table.String()
}

func TestPackageCommentListsAllMetrics(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	require.Contains(t, string(source), "//\n"+documentedMetrics()+"//\n", "the table of metrics should be\n%s", documentedMetrics())
}

func TestMetricsFollowConventions(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, m := range metrics.All {
		require.Regexp(t, `^asteroid_[a-z]+(_[a-z]+)*$`, m.Name)
		require.False(t, names[m.Name], m.Name)
		names[m.Name] = true
		if m.Kind == metrics.Counter {
			require.NotRegexp(t, `_(total|count|sum|seconds)$`, m.Name, "the handler adds the suffix")
		}
		require.Regexp(t, map[metrics.Kind]string{
			metrics.Counter: `_total$`, metrics.Timer: `_duration_seconds$`, metrics.Gauge: `.`,
		}[m.Kind], m.PrometheusName())
		for _, label := range m.Labels {
			require.NotRegexp(t, regexp.MustCompile(`execution|workflow|run|url|file|question|key$`), label, m.Name)
		}
	}
}
