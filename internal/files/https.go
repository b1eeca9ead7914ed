package files

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/httphdr"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

const defaultFetchTimeout = 15 * time.Minute

// HTTPS fetches the files of https: URLs.
type HTTPS struct {
	Options asteroid.HTTPSOptions
	Client  *http.Client
}

// NewHTTPS checks the options and returns an HTTPS whose client connects to permitted addresses
// only.
func NewHTTPS(options asteroid.HTTPSOptions) (*HTTPS, error) {
	if options.MaxBytes < 0 || options.Timeout < 0 {
		return nil, errors.New("HTTPS.MaxBytes and HTTPS.Timeout must not be negative")
	}
	for i, host := range options.Hosts {
		if host == "" || strings.ContainsAny(host, "/:* ") {
			return nil, fmt.Errorf("HTTPS.Hosts[%d] %q is not a host: write files.example.com, or .example.com for all of its subdomains", i, host)
		}
	}
	for i, network := range options.Networks {
		if !network.IsValid() {
			return nil, fmt.Errorf("HTTPS.Networks[%d] is not a network: use netip.MustParsePrefix(\"10.20.0.0/16\")", i)
		}
	}
	if options.Timeout == 0 {
		options.Timeout = defaultFetchTimeout
	}
	f := &HTTPS{Options: options}
	f.Client = &http.Client{
		Transport: &http.Transport{
			Proxy:                  nil,
			DialContext:            guardedDialer(options.Networks).DialContext,
			TLSClientConfig:        &tls.Config{RootCAs: options.RootCAs, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    10 * time.Second,
			ResponseHeaderTimeout:  30 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
			DisableCompression:     true,
			ForceAttemptHTTP2:      true,
			IdleConnTimeout:        30 * time.Second,
		},
		CheckRedirect: f.checkRedirect,
	}
	return f, nil
}

// guardedDialer returns a dialer that refuses non-public addresses, except those in the networks.
// It checks each address just before it connects, so a name that resolves differently the second
// time cannot evade the check.
func guardedDialer(networks []netip.Prefix) *net.Dialer {
	addresses := guard{allowed: networks}
	return &net.Dialer{Timeout: 10 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		target, err := netip.ParseAddrPort(address)
		if err != nil {
			return &blockedError{fmt.Errorf("%q is not an address", address)}
		}
		if err := addresses.check(target.Addr()); err != nil {
			return &blockedError{err}
		}
		return nil
	}}
}

func (f *HTTPS) checkRedirect(r *http.Request, via []*http.Request) error {
	if len(via) > httphdr.MaxRedirects {
		return &blockedError{fmt.Errorf("redirected more than %d times", httphdr.MaxRedirects)}
	}
	r.Header.Del("Referer") // it would reveal the previous URL's query to the next host
	if err := f.checkURL(r.URL); err != nil {
		return &blockedError{fmt.Errorf("redirected to %s: %w", RedactURL(r.URL), err)}
	}
	return nil
}

// checkURL checks a URL before its host is resolved.
func (f *HTTPS) checkURL(u *url.URL) error {
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	switch {
	case u.Scheme != "https":
		return errors.New("only https: URLs are fetched")
	case host == "":
		return errors.New("the URL has no host")
	case isNumericHost(host):
		return fmt.Errorf("the host %s is a number: write an IPv4 address such as 192.0.2.1", text.Clip(host))
	case len(f.Options.Hosts) == 0:
		return nil
	}
	if !slices.ContainsFunc(f.Options.Hosts, func(allowed string) bool {
		allowed = strings.ToLower(allowed)
		return host == allowed || strings.HasPrefix(allowed, ".") && strings.HasSuffix(host, allowed)
	}) {
		return fmt.Errorf("the host %s is not one of this worker's HTTPSOptions.Hosts", text.Clip(host))
	}
	return nil
}

// isNumericHost reports whether some systems read a host as an IPv4 address in a legacy notation,
// such as 127.1 or 0x7f000001. The dialer would refuse its address too, but only after resolution.
// Where the host does not resolve, the error would be retryable.
func isNumericHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	last := host[strings.LastIndex(host, ".")+1:]
	hex, isHex := strings.CutPrefix(last, "0x")
	return isHex && strings.Trim(hex, "0123456789abcdef") == "" || strings.Trim(last, "0123456789") == ""
}

// Find returns the source of an https: URL. It requests the first bytes to learn size and content
// type, because a link that is signed for GET refuses HEAD.
func (f *HTTPS) Find(ctx context.Context, uri string) (*Source, error) {
	if f.Options.Disabled {
		return nil, errors.New("this worker fetches no https: references, because its HTTPSOptions.Disabled is set")
	}
	address, err := ParseURI(uri)
	if err != nil {
		return nil, err
	}
	if err := f.checkURL(address); err != nil {
		return nil, err
	}
	remote := &Remote{
		Client: f.Client, Name: RedactURL(address), Size: UnknownSize, timeout: f.Options.Timeout, maxBytes: f.Options.MaxBytes,
		Locate: func(context.Context) (string, error) { return uri, nil },
	}
	header, head, err := remote.probe(ctx)
	if err != nil {
		return nil, err
	}
	if f.Options.MaxBytes > 0 && remote.Size > f.Options.MaxBytes {
		return nil, fmt.Errorf("%s has %d bytes, more than the %d that this worker fetches", remote.Name, remote.Size, f.Options.MaxBytes)
	}
	declared := header.Get("Content-Type")
	source := &Source{Name: downloadName(header, address, declared), Size: remote.Size, Open: remote.OpenChecked}
	if coding := remote.coding; coding != "" && !isArchive(source.Name, declared) {
		head = decodeHead(coding, head)
		source.Size, source.Open = UnknownSize, func(ctx context.Context) (io.ReadCloser, error) {
			encoded, err := remote.OpenChecked(ctx)
			if err != nil {
				return nil, err
			}
			return &decoder{name: remote.Name, coding: coding, encoded: encoded, limit: f.Options.MaxBytes}, nil
		}
	}
	source.ContentType = ContentTypeOf(declared, source.Name, head)
	return source, nil
}
