package asteroid

import (
	"crypto/x509"
	"net/netip"
	"time"
)

// HTTPSOptions restrict what https: references can reach from a worker. The zero value allows the
// public internet and nothing else: loopback, private, link-local, multicast, reserved and metadata
// addresses are refused after the name is resolved, for each redirect too. No proxy of the
// environment is used, because a proxy would resolve the names where the worker cannot check them.
type HTTPSOptions struct {
	// Disabled refuses every https: reference.
	Disabled bool
	// Hosts are the only hosts that references and their redirects may name: files.example.com, or
	// .example.com for all of its subdomains. Empty means every host.
	Hosts []string
	// Networks are allowed although they are not public, such as 10.20.0.0/16. Empty means none.
	Networks []netip.Prefix
	// RootCAs are trusted instead of the system's. nil means the system's.
	RootCAs *x509.CertPool
	// MaxBytes bounds the size of a file. 0 means that only the worker's MaxUploadBytes bounds it.
	MaxBytes int64
	// Timeout bounds the download of a file, with all redirects and resumptions. 0 means 15
	// minutes.
	Timeout time.Duration
}
