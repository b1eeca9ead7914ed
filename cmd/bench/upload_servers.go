package main

import (
	"fmt"
	"io"
	"net"

	"github.com/temporal-asteroid/asteroid/testsuite"
)

const (
	discardingAPIChild = "bench-api"
	sinkChild          = "bench-sink"
)

// apiInfo is the address of the API and the credentials for it.
type apiInfo struct {
	BaseURL        string `json:"baseUrl"`
	OrganizationID string `json:"organizationId"`
	APIKey         string `json:"apiKey"`
}

// serveDiscardingAPI serves a fake API that discards uploads, so that the client is what is
// measured.
func serveDiscardingAPI() error {
	api, err := testsuite.StartAPI(testsuite.WithDiscardedUploads())
	if err != nil {
		return err
	}
	defer func() { _ = api.Close() }() // problems have failed the clients
	return serveUntilParentExits(apiInfo{api.BaseURL(), api.OrganizationID(), api.APIKey()})
}

// serveSink serves a TCP server that discards what it receives and replies with the number of
// bytes.
func serveSink() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go drain(conn)
		}
	}()
	return serveUntilParentExits(listener.Addr().String())
}

func drain(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	if received, err := copyPlainly(io.Discard, conn); err == nil {
		_, _ = fmt.Fprint(conn, received)
	}
}

// copyPlainly copies in steps of 32 KiB that pass through this process, on both sides of the plain
// copy. It hides the methods with which the system would copy faster.
func copyPlainly(to io.Writer, from io.Reader) (int64, error) {
	return io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, make([]byte, 32<<10))
}
