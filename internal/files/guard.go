package files

import (
	"fmt"
	"net/netip"
	"slices"
)

// guarded are the ranges of addresses that do not belong to the public internet, beyond those that package netip knows, and those of
// it that lead back from it.
var guarded = prefixes(
	"0.0.0.0/8",        // this network
	"100.64.0.0/10",    // shared between a provider and its customers; metadata services live there
	"168.63.129.16/32", // a cloud's own service on a public address
	"192.0.0.0/24",     // protocol assignments; metadata services live there
	"192.0.2.0/24",     // documentation
	"192.88.99.0/24",   // relays of 6to4
	"198.18.0.0/15",    // benchmarks
	"198.51.100.0/24",  // documentation
	"203.0.113.0/24",   // documentation
	"240.0.0.0/4",      // reserved, and broadcast
	"64:ff9b:1::/48",   // translation to IPv4 of a local network
	"100::/64",         // discarded
	"2001::/23",        // protocol assignments, Teredo among them
	"2001:db8::/32",    // documentation
	"2002::/16",        // 6to4: an IPv4 address in disguise
	"3fff::/20",        // documentation
	"5f00::/16",        // segment routing
	"fec0::/10",        // site-local
	"::/96",            // an IPv4 address in disguise
	"::ffff:0:0:0/96",  // likewise
)

// translated addresses hold an IPv4 address in their last four bytes, to which a gateway leads.
var translated = netip.MustParsePrefix("64:ff9b::/96")

func prefixes(texts ...string) []netip.Prefix {
	parsed := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		parsed[i] = netip.MustParsePrefix(text)
	}
	return parsed
}

// guard decides which addresses may be reached.
type guard struct{ allowed []netip.Prefix }

// check refuses what is not on the public internet, unless it is allowed.
func (g guard) check(address netip.Addr) error {
	address = address.Unmap().WithZone("")
	if contains(g.allowed, address) {
		return nil
	}
	inside := address
	if translated.Contains(address) {
		bytes := address.As16()
		inside = netip.AddrFrom4([4]byte(bytes[12:]))
	}
	if !inside.IsGlobalUnicast() || inside.IsPrivate() || contains(guarded, inside) {
		return fmt.Errorf("%s is not an address of the public internet, which references may not reach: "+
			"list its network in HTTPSOptions.Networks if it is meant", address)
	}
	return nil
}

func contains(networks []netip.Prefix, address netip.Addr) bool {
	return slices.ContainsFunc(networks, func(network netip.Prefix) bool { return network.Contains(address) })
}
