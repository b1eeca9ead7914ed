package files

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRedactURIKeepsNoPasswordAndNoSignature(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"file://user:s3cr%zzet@host/x": "file://host/x",
		"https://u:p/w@h/x?sig=secret": "https://h/x",
		"s3://bucket/a b":              "s3://bucket/a b",
		"no scheme?secret":             "no scheme",
	} {
		require.Equal(t, want, RedactURI(uri), uri)
	}
	_, _, err := Roots{}.Resolve("file://user:s3cr%zzet@host/x", "FileRoots")
	require.NotContains(t, err.Error(), "s3cr")
}
