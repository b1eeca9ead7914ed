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

// PortError says that a port could not be listened on.
type PortError struct {
	Port   int    // the port that was asked for
	Option string // the field of Options that asked for it: "Port" or "UIPort"
	Err    error
}

func (e *PortError) Error() string {
	reason := e.Err.Error()
	if errors.Is(e.Err, syscall.EADDRINUSE) {
		reason = "the port is in use"
	}
	flag := map[string]string{"Port": "--port", "UIPort": "--ui-port"}[e.Option]
	return fmt.Sprintf("listen on %s:%d: %s; set %s (%s) to another port, or to 0 for a free one",
		loopback, e.Port, reason, e.Option, flag)
}

func (e *PortError) Unwrap() error { return e.Err }

// ports are the addresses of one server. They are listened on until the real owner takes over, so
// that they are distinct and a port in use is noticed before anything runs.
type ports struct {
	services map[primitives.ServiceName]*net.TCPAddr
	frontend *net.TCPAddr // also in services
	http     *net.TCPAddr
	ui       *reservation // nil without UI

	held []*reservation
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
	hold := func(port int, option string) *net.TCPAddr {
		if err != nil {
			return nil
		}
		var r *reservation
		if r, err = reserve(port, option); err != nil {
			return nil
		}
		p.held = append(p.held, r)
		return r.addr
	}
	p.frontend = hold(opts.Port, "Port")
	p.http = hold(0, "Port")
	p.services[primitives.FrontendService] = p.frontend
	for _, service := range []primitives.ServiceName{primitives.HistoryService, primitives.MatchingService, primitives.WorkerService} {
		p.services[service] = hold(0, "Port")
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

// releaseServices lets go of everything but the UI's port.
func (p *ports) releaseServices() {
	for _, r := range p.held {
		_ = r.Close() // nothing was accepted, so nothing can be lost
	}
	p.held = nil
}

func (p *ports) release() {
	p.releaseServices()
	if p.ui != nil {
		_ = p.ui.Close()
	}
}
