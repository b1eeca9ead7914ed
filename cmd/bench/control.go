package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// serveControl serves what the parent asks of a child, on a free port.
func serveControl(mux *http.ServeMux) (address string, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: mux, ReadTimeout: 30 * time.Second}
	go func() { _ = server.Serve(listener) }() // until the process ends
	return "http://" + listener.Addr().String(), nil
}

// handle answers a POST with what do makes of its body.
func handle[In, Out any](mux *http.ServeMux, path string, do func(ctx context.Context, in In) (Out, error)) {
	mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		var in In
		err := json.NewDecoder(r.Body).Decode(&in)
		var out Out
		if err == nil {
			out, err = do(r.Context(), in)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(out) // the parent notices
	})
}

// ask has a child do something.
func ask[Out any](ctx context.Context, url string, in any) (out Out, err error) {
	body, err := json.Marshal(in)
	if err != nil {
		return out, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return out, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return out, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(io.LimitReader(answer.Body, 1000))
		return out, fmt.Errorf("%s: %s", url, bytes.TrimSpace(said))
	}
	return out, json.NewDecoder(answer.Body).Decode(&out)
}
