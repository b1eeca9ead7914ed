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
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/httphdr"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

const defaultFetchTimeout = 15 * time.Minute

// peekTimeout bounds the first look at a file.
const peekTimeout = 30 * time.Second

// httpsFiles fetches https: references.
type HTTPS struct {
	Options asteroid.HTTPSOptions
	Client  *http.Client
}

func NewHTTPS(options asteroid.HTTPSOptions) (*HTTPS, error) {
	if options.MaxBytes < 0 || options.Timeout < 0 {
		return nil, errors.New("HTTPS.MaxBytes and HTTPS.Timeout must not be negative")
	}
	for i, host := range options.Hosts {
		if host == "" || strings.ContainsAny(host, "/:* ") {
			return nil, fmt.Errorf("HTTPS.Hosts[%d] %q is not a host: write files.example.com, or .example.com for all beneath it", i, host)
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
	addresses := guard{allowed: options.Networks}
	dialer := &net.Dialer{
		Timeout: 10 * time.Second,
		// Called with the address that is about to be connected to: a name that resolves to something else the second time
		// changes nothing.
		Control: func(_, address string, _ syscall.RawConn) error {
			target, err := netip.ParseAddrPort(address)
			if err != nil {
				return &blockedError{fmt.Errorf("%q is not an address", address)}
			}
			if err := addresses.check(target.Addr()); err != nil {
				return &blockedError{err}
			}
			return nil
		},
	}
	f.Client = &http.Client{
		Transport: &http.Transport{
			Proxy:                  nil,
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{RootCAs: options.RootCAs, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    10 * time.Second,
			ResponseHeaderTimeout:  30 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
			DisableCompression:     true,
			ForceAttemptHTTP2:      true,
			IdleConnTimeout:        30 * time.Second,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > httphdr.MaxRedirects {
				return &blockedError{fmt.Errorf("redirected more than %d times", httphdr.MaxRedirects)}
			}
			r.Header.Del("Referer") // would tell the next host the query of this one
			if err := f.allow(r.URL); err != nil {
				return &blockedError{fmt.Errorf("redirected to %s: %w", WithoutQuery(r.URL), err)}
			}
			return nil
		},
	}
	return f, nil
}

// blockedError is a refusal of ours: the reference is wrong, and no retry makes it right.
type blockedError struct{ error }

func (e *blockedError) Unwrap() error { return e.error }

// allow checks what can be checked of an address before its host is resolved.
func (f *HTTPS) allow(u *url.URL) error {
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	switch {
	case u.Scheme != "https":
		return errors.New("only https is fetched")
	case host == "":
		return errors.New("it names no host")
	case number(host):
		return fmt.Errorf("%s is a number: write the address as 192.0.2.1", text.Clip(host))
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

// number is whether some systems take a host for an IPv4 address that is written in a way of the seventies, such as 127.1 or
// 0x7f000001. It would be refused when it is connected to, but only there, and not for good where it cannot be resolved.
func number(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	last := host[strings.LastIndex(host, ".")+1:]
	hex, isHex := strings.CutPrefix(last, "0x")
	return isHex && strings.Trim(hex, "0123456789abcdef") == "" || strings.Trim(last, "0123456789") == ""
}

// find asks for the first bytes only, which tells size and type: a HEAD would be refused by a link that is signed for GET.
func (f *HTTPS) Find(ctx context.Context, uri string) (*Source, error) {
	if f.Options.Disabled {
		return nil, errors.New("this worker fetches no https: references: its HTTPSOptions.Disabled is set")
	}
	address, err := ParseURI(uri)
	if err != nil {
		return nil, err
	}
	if err := f.allow(address); err != nil {
		return nil, err
	}
	file := &Remote{
		Client: f.Client, Name: WithoutQuery(address), Size: UnknownSize, timeout: f.Options.Timeout, most: f.Options.MaxBytes,
		Locate: func(context.Context) (string, error) { return uri, nil },
	}
	said, head, err := file.peek(ctx)
	if err != nil {
		return nil, err
	}
	if f.Options.MaxBytes > 0 && file.Size > f.Options.MaxBytes {
		return nil, fmt.Errorf("%s has %d bytes, more than the %d that this worker fetches", file.Name, file.Size, f.Options.MaxBytes)
	}
	name := path.Base(address.Path)
	if strings.HasSuffix(address.Path, "/") || address.Path == "" {
		name = ""
	}
	return &Source{Name: name, ContentType: ContentTypeOf(said, name, head), Size: file.Size, Open: func(ctx context.Context) (io.ReadCloser, error) {
		return file.Open(ctx)
	}}, nil
}
