package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// shutdownTimeout bounds how long requests to the worker's own addresses delay its exit.
const shutdownTimeout = 3 * time.Second

// listen serves the handler on the address until the run is closed, by TLS if there is a
// configuration for it. It does nothing without an address. The option names the address in errors.
// An error that ends the service later is passed to fail.
func (r *workerRun) listen(option, address string, handler http.Handler, secure *tls.Config, fail context.CancelCauseFunc) error {
	if address == "" {
		return nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("%s: %w; give another address, such as 127.0.0.1:9464", option, err)
	}
	r.addresses[option] = listener.Addr().String()
	r.logger.Info("Listening", "Option", option, "Address", r.addresses[option])
	if secure != nil {
		listener = tls.NewListener(listener, secure)
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(r.logger.Handler(), slog.LevelWarn),
	}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			fail(fmt.Errorf("%s: %w", option, err))
		}
	}()
	r.closers = append(r.closers, func() {
		ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
		defer cancel()
		_ = server.Shutdown(ctx) // the exit cuts off a request that goes on longer
	})
	return nil
}

// tls returns the configuration of a listener with the certificate of the files, or nil without
// files. It reads them at each handshake, so that a certificate can be renewed while the worker
// runs.
func (c *webhookConfig) tls() (*tls.Config, error) {
	switch {
	case c.TLSCertFile == "" && c.TLSKeyFile == "":
		return nil, nil
	case c.TLSCertFile == "" || c.TLSKeyFile == "":
		return nil, errors.New("only one of tlsCertFile and tlsKeyFile is set: set both, or none behind a proxy that ends TLS")
	}
	load := func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		certificate, err := tls.LoadX509KeyPair(c.TLSCertFile, c.TLSKeyFile)
		return &certificate, err
	}
	if _, err := load(nil); err != nil {
		return nil, fmt.Errorf("tlsCertFile and tlsKeyFile: %w", err)
	}
	return &tls.Config{GetCertificate: load, MinVersion: tls.VersionTLS12}, nil
}
