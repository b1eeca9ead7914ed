package asteroid

import (
	"crypto/x509"
	"net/netip"
	"time"
)

// HTTPSOptions say what https: references can reach. The zero value lets them reach the public internet, and
// nothing else: loopback, private, link-local, multicast, reserved and metadata addresses are refused after the name is resolved, for each
// redirect too. A proxy of the environment is not used, since it would see to the names where this worker cannot.
type HTTPSOptions struct {
	// Disabled refuses every https: reference.
	Disabled bool
	// Hosts, if any, are the only ones that references and their redirects may name: files.example.com, or .example.com for
	// all beneath it.
	Hosts []string
	// Networks may be reached although they are not public, such as 10.20.0.0/16.
	Networks []netip.Prefix
	// RootCAs are trusted instead of the system's, if set.
	RootCAs *x509.CertPool
	// MaxBytes bounds a file; 0 means no more than Options.MaxUploadBytes does.
	MaxBytes int64
	// Timeout bounds the fetching of a file, with all redirects and resumptions. 15 minutes when 0.
	Timeout time.Duration
}
