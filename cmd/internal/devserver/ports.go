package devserver

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"

	"go.temporal.io/server/common/primitives"
)

const loopback = "127.0.0.1"

// PortError reports a port on which the server cannot listen.
type PortError struct {
	Port   int    // the requested port
	Option string // the field of Options that requests it: "Port" or "UIPort"
	Err    error
}

func (e *PortError) Error() string {
	reason := e.Err.Error()
	if errors.Is(e.Err, syscall.EADDRINUSE) {
		reason = "the port is in use"
	}
	flag := map[string]string{"Port": "--port", "UIPort": "--ui-port"}[e.Option]
	return fmt.Sprintf("listen on %s:%d: %s; set %s (%s) to another port, or to 0 for a free port",
		loopback, e.Port, reason, e.Option, flag)
}

func (e *PortError) Unwrap() error { return e.Err }

// ports are the addresses of one server. A reservation listens on each until its service takes
// over, so that the ports are distinct and one in use is reported before anything runs.
type ports struct {
	services map[primitives.ServiceName]*net.TCPAddr
	frontend *net.TCPAddr // also in services
	http     *net.TCPAddr
	ui       *reservation // nil without UI

	reserved []*reservation // of services and http
}

type reservation struct {
	net.Listener
	addr *net.TCPAddr
}

func reservePorts(opts Options) (_ *ports, err error) {
	p := &ports{services: map[primitives.ServiceName]*net.TCPAddr{}}
	defer func() {
		if err != nil {
			p.release()
		}
	}()
	if opts.UI {
		if p.ui, err = reserve(opts.UIPort, "UIPort"); err != nil {
			return nil, err
		}
	}
	add := func(port int, option string) *net.TCPAddr {
		if err != nil {
			return nil
		}
		var r *reservation
		if r, err = reserve(port, option); err != nil {
			return nil
		}
		p.reserved = append(p.reserved, r)
		return r.addr
	}
	p.frontend = add(opts.Port, "Port")
	p.http = add(0, "Port")
	p.services[primitives.FrontendService] = p.frontend
	for _, service := range []primitives.ServiceName{primitives.HistoryService, primitives.MatchingService, primitives.WorkerService} {
		p.services[service] = add(0, "Port")
	}
	return p, err
}

func reserve(port int, option string) (*reservation, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
	if err != nil {
		return nil, &PortError{Port: port, Option: option, Err: err}
	}
	return &reservation{l, l.Addr().(*net.TCPAddr)}, nil
}

// releaseServices releases every port but the UI's.
func (p *ports) releaseServices() {
	for _, r := range p.reserved {
		_ = r.Close() // no connection was accepted
	}
	p.reserved = nil
}

func (p *ports) release() {
	p.releaseServices()
	if p.ui != nil {
		_ = p.ui.Close()
	}
}
