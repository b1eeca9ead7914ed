package activities_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/url"
	"sync"

	"github.com/temporal-asteroid/asteroid"
)

// memoryStore is a Store in memory.
type memoryStore struct {
	mu    sync.Mutex
	files map[string]stored
	// fail, unless nil, is called before every operation and may fail it. op is stat, open, read or
	// write.
	fail func(op string, uri *url.URL) error
}

type stored struct {
	content []byte
	info    asteroid.FileInfo
}

func newMemoryStore() *memoryStore { return &memoryStore{files: map[string]stored{}} }

// get returns a stored file, or the error of fail.
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
	end := io.EOF
	if s.fail != nil {
		end = cmp.Or(s.fail("read", uri), end)
	}
	return io.NopCloser(io.MultiReader(bytes.NewReader(file.content), failingReader{end})), nil
}

func (s *memoryStore) Write(_ context.Context, uri *url.URL, content io.Reader, info asteroid.FileInfo) error {
	if _, err := s.get("write", uri); err != nil {
		return err
	}
	all, err := io.ReadAll(content)
	if err != nil {
		return fmt.Errorf("reading the content: %w", err)
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

// failingReader fails every read.
type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }
