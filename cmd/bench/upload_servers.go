package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
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
	// TODO: testsuite.StartAPI(testsuite.WithDiscardedUploads()) instead of this stand-in, once it is there.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// io.Discard alone would read in steps of 8 KiB.
		if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r.Body, make([]byte, 256<<10)); err != nil {
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"tempFiles": []map[string]string{{"id": "discarded", "name": contentName}}})
	})}
	go func() { _ = server.Serve(listener) }() // until the process ends
	return serveUntilParentGoes(apiPlace{"http://" + listener.Addr().String(), "bench", "bench"})
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
