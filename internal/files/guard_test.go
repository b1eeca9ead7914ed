package files

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOnlyThePublicInternetIsOpen(t *testing.T) {
	t.Parallel()
	for _, refused := range []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "100.127.255.255", "127.0.0.1", "127.255.255.254",
		"168.63.129.16", "169.254.0.1", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1",
		"192.88.99.1", "192.168.0.1", "192.168.255.255", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255",
		"240.0.0.1", "255.255.255.255",
		"::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1", "::ffff:0:8.8.8.8",
		"64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b::168.63.129.16", "64:ff9b:1::8.8.8.8",
		"100::1", "2001::1", "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::1", "3fff::1", "5f00::1",
		"fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "ff0e::1",
	} {
		require.Error(t, guard{}.check(netip.MustParseAddr(refused)), refused)
	}
	for _, public := range []string{
		"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1", "168.63.129.15",
		"169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.1.0", "192.167.255.255", "192.169.0.0", "198.17.255.255",
		"198.20.0.0", "203.0.112.255", "203.0.114.0", "223.255.255.255",
		"::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2001:4860:4860::8888", "2606:4700::1111", "2a00:1450::1", "2003::1",
	} {
		require.NoError(t, guard{}.check(netip.MustParseAddr(public)), public)
	}
}

func TestNetworksThatAreMeantCanBeOpened(t *testing.T) {
	t.Parallel()
	opened := guard{allowed: prefixes("10.20.0.0/16", "fd00:1::/32")}
	for _, address := range []string{"10.20.0.1", "::ffff:10.20.0.1", "fd00:1::1"} {
		require.NoError(t, opened.check(netip.MustParseAddr(address)), address)
	}
	for _, address := range []string{"10.21.0.1", "127.0.0.1", "::ffff:127.0.0.1", "fd00:2::1", "64:ff9b::10.20.0.1"} {
		require.ErrorContains(t, opened.check(netip.MustParseAddr(address)), "HTTPSOptions.Networks", address)
	}
}

func TestNumbersAreNoHosts(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"2130706433", "127.1", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "127.0.0.01", "1.2.3.4.5", "host.1", "0x"} {
		require.True(t, number(host), host)
	}
	for _, host := range []string{"127.0.0.1", "::1", "::ffff:127.0.0.1", "fe80::1%1", "example.com", "1.example.com", "a1", "0xg", "x0x1.com"} {
		require.False(t, number(host), host)
	}
}
