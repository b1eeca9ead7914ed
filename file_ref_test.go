package asteroid_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
)

func TestExecutionFileURIReadsBackWhateverTheNameHolds(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a.csv", "a b%#?.bin", "folder/é.pdf", "a%2Fb", ":", "//x"} {
		parsed, err := url.Parse(asteroid.ExecutionFileURI("e-1", "downloads", name))
		require.NoError(t, err, name)
		require.Equal(t, asteroid.ExecutionScheme, parsed.Scheme)
		require.Equal(t, "e-1", parsed.Host)
		require.Equal(t, "/downloads/"+name, parsed.Path)
		require.Empty(t, parsed.RawQuery)
		require.Empty(t, parsed.Fragment)
	}
}

func TestReferencesKeepOrderAndNames(t *testing.T) {
	t.Parallel()
	a, b := asteroid.FileRef{URI: "s3://b/a", Name: "a"}, asteroid.FileRef{URI: "s3://b/b"}
	require.Equal(t, []asteroid.FileRef{b, a},
		asteroid.References([]asteroid.OutputFile{{FileRef: b, Size: 1}, {FileRef: a}}))
	require.Empty(t, asteroid.References(nil))
}
