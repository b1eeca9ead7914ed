package activities_test

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/url"
	"strings"
	"sync"

	"github.com/temporal-asteroid/asteroid"
)

// memoryStore is a Store in memory.
type memoryStore struct {
	mu    sync.Mutex
	files map[string]stored
	// fail, if set, is asked before everything: op is stat, open, read or write.
	fail func(op string, uri *url.URL) error
}

func (s *memoryStore) get(op string, uri *url.URL) (stored, error) {
	if s.fail != nil {
		if err := s.fail(op, uri); err != nil {
			return stored{}, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	file, ok := s.files[uri.String()]
	if !ok && op != "write" {
		return stored{}, fmt.Errorf("mem: %w", fs.ErrNotExist)
	}
	return file, nil
}

func (s *memoryStore) Stat(_ context.Context, uri *url.URL) (asteroid.FileInfo, error) {
	file, err := s.get("stat", uri)
	return file.info, err
}

func (s *memoryStore) Open(_ context.Context, uri *url.URL) (io.ReadCloser, error) {
	file, err := s.get("open", uri)
	if err != nil {
		return nil, err
	}
	var tail io.Reader = strings.NewReader("")
	if s.fail != nil {
		if err := s.fail("read", uri); err != nil {
			tail = failing{err}
		}
	}
	return io.NopCloser(io.MultiReader(strings.NewReader(string(file.content)), tail)), nil
}

func (s *memoryStore) Write(_ context.Context, uri *url.URL, content io.Reader, info asteroid.FileInfo) error {
	if _, err := s.get("write", uri); err != nil {
		return err
	}
	all, err := io.ReadAll(content)
	if err != nil {
		return fmt.Errorf("reading what to store: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[uri.String()] = stored{all, info}
	return nil
}

func (s *memoryStore) put(uri string, content []byte, info asteroid.FileInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[uri] = stored{content, info}
}

func (s *memoryStore) all() map[string]stored {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.files)
}

type stored struct {
	content []byte
	info    asteroid.FileInfo
}

func newMemoryStore() *memoryStore { return &memoryStore{files: map[string]stored{}} }

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
