package main

import (
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// sayings answers the activity chaos.Read. What it says of a key can change, as the world does
// while a workflow is reset.
type sayings struct {
	mu     sync.Mutex
	byKey  map[string]said
	server *http.Server
	url    string
}

func startSayings() (*sayings, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &sayings{byKey: map[string]said{}, url: "http://" + listener.Addr().String()}
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.server.Serve(listener) }() // ends when it is closed
	return s, nil
}

func (s *sayings) close() { _ = s.server.Close() } // the run is over

func (s *sayings) say(key string, what said) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byKey[key] = what
}

func (s *sayings) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	what := s.byKey[strings.TrimPrefix(r.URL.Path, "/said/")]
	s.mu.Unlock()
	_ = json.NewEncoder(w).Encode(what) // fails only when the client is gone
}
