package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
)

// sayings answers the activity chaos.Read. What it says of a key can change, as the world does
// while a workflow is reset.
type sayings struct {
	mu    sync.Mutex
	byKey map[string]said
}

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
