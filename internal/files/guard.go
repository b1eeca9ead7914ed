package files

import (
	"fmt"
	"net/netip"
	"slices"
)

// nonPublic are the networks that do not belong to the public internet, beyond those that package
// netip knows, and the public ones that lead back into private networks.
var nonPublic = prefixes(
	"0.0.0.0/8",        // this network
	"100.64.0.0/10",    // shared between a provider and its customers; metadata services live there
	"168.63.129.16/32", // a cloud's internal service on a public address
	"192.0.0.0/24",     // protocol assignments; metadata services live there
	"192.0.2.0/24",     // documentation
	"192.88.99.0/24",   // 6to4 relays
	"198.18.0.0/15",    // benchmarks
	"198.51.100.0/24",  // documentation
	"203.0.113.0/24",   // documentation
	"240.0.0.0/4",      // reserved and broadcast
	"64:ff9b:1::/48",   // translation to the IPv4 of a local network
	"100::/64",         // discard-only
	"2001::/23",        // protocol assignments, Teredo among them
	"2001:db8::/32",    // documentation
	"2002::/16",        // 6to4: embeds an IPv4 address
	"3fff::/20",        // documentation
	"5f00::/16",        // segment routing
	"fec0::/10",        // site-local
	"::/96",            // embeds an IPv4 address
	"::ffff:0:0:0/96",  // embeds an IPv4 address
)

// nat64 addresses hold an IPv4 address in their last four bytes. A gateway translates to it.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

func prefixes(networks ...string) []netip.Prefix {
	parsed := make([]netip.Prefix, len(networks))
	for i, network := range networks {
		parsed[i] = netip.MustParsePrefix(network)
	}
	return parsed
}

// guard decides which addresses references may reach.
type guard struct{ allowed []netip.Prefix }

// check returns an error for an address that is neither on the public internet nor allowed.
func (g guard) check(address netip.Addr) error {
	address = address.Unmap().WithZone("")
	if contains(g.allowed, address) {
		return nil
	}
	target := address
	if nat64.Contains(address) {
		bytes := address.As16()
		target = netip.AddrFrom4([4]byte(bytes[12:]))
	}
	if !target.IsGlobalUnicast() || target.IsPrivate() || contains(nonPublic, target) {
		return fmt.Errorf("%s is not an address of the public internet, so references may not reach it: "+
			"to allow it, list its network in HTTPSOptions.Networks", address)
	}
	return nil
}

func contains(networks []netip.Prefix, address netip.Addr) bool {
	return slices.ContainsFunc(networks, func(network netip.Prefix) bool { return network.Contains(address) })
}
