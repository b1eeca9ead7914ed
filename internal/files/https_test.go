package files

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIsNumericHostMatchesLegacyIPv4Notations(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"2130706433", "127.1", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "127.0.0.01", "1.2.3.4.5", "host.1", "0x"} {
		require.True(t, isNumericHost(host), host)
	}
	for _, host := range []string{"127.0.0.1", "::1", "::ffff:127.0.0.1", "fe80::1%1", "example.com", "1.example.com", "a1", "0xg", "x0x1.com"} {
		require.False(t, isNumericHost(host), host)
	}
}
