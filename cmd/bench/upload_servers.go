package main

import (
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/temporal-asteroid/asteroid/testsuite"
)

const (
	discardingAPIChild = "bench-api"
	sinkChild          = "bench-sink"
)

// apiPlace is where the API is and who may use it.
type apiPlace struct {
	BaseURL        string `json:"baseUrl"`
	OrganizationID string `json:"organizationId"`
	APIKey         string `json:"apiKey"`
}

// serveDiscardingAPI takes uploads and keeps nothing of them, so that what is measured is the client.
func serveDiscardingAPI() error {
	api, err := testsuite.StartAPI(testsuite.WithDiscardedUploads())
	if err != nil {
		return err
	}
	defer func() { _ = api.Close() }() // the parent learns of trouble from its clients
	return serveUntilParentGoes(apiPlace{api.BaseURL(), api.OrganizationID(), api.APIKey()})
}

// copyStep is how much the plain copy reads and writes at a time, on both sides.
const copyStep = 32 << 10

// serveSink takes whatever comes over a connection and answers with how many bytes that were.
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
	return serveUntilParentGoes(listener.Addr().String())
}

func drain(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	var received int64
	buffer := make([]byte, copyStep)
	for {
		n, err := conn.Read(buffer)
		received += int64(n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return // without an answer
		}
	}
	_, _ = fmt.Fprint(conn, received)
}
