package testsuite

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"sync"
)

// spoolInMemory is the maximum size in bytes of a file held in memory. A longer one goes to a
// temporary file.
const spoolInMemory = 256 << 10

// spool stores file contents until the API is closed.
type spool struct {
	mu     sync.Mutex
	dir    string
	closed bool
}

// blob is an immutable content.
type blob struct {
	data   []byte
	path   string // set if the content is on disk
	size   int64
	sha256 string // lower-case hex; empty if the content was discarded
}

// errDiscarded is the error of opening a discarded upload.
var errDiscarded = errors.New("the option WithDiscardedUploads discards the contents of uploads")

// store reads r to its end. It holds at most spoolInMemory and a copy buffer in memory.
func (s *spool) store(r io.Reader) (*blob, error) {
	hash := sha256.New()
	tee := io.TeeReader(r, hash)
	var head bytes.Buffer
	size, err := io.CopyN(&head, tee, spoolInMemory+1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if size <= spoolInMemory {
		return &blob{data: head.Bytes(), size: size, sha256: hex.EncodeToString(hash.Sum(nil))}, nil
	}

	file, err := s.create()
	if err != nil {
		return nil, err
	}
	size, err = io.Copy(file, io.MultiReader(&head, tee))
	b := &blob{path: file.Name(), size: size, sha256: hex.EncodeToString(hash.Sum(nil))}
	if err = errors.Join(err, file.Close()); err != nil {
		b.discard()
		return nil, err
	}
	return b, nil
}

// storeBytes stores content that is already in memory.
func (s *spool) storeBytes(content []byte) *blob {
	sum := sha256.Sum256(content)
	return &blob{data: bytes.Clone(content), size: int64(len(content)), sha256: hex.EncodeToString(sum[:])}
}

func (s *spool) create() (*os.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, os.ErrClosed
	}
	if s.dir == "" {
		dir, err := os.MkdirTemp("", "asteroid-fake-")
		if err != nil {
			return nil, err
		}
		s.dir = dir
	}
	return os.CreateTemp(s.dir, "file-")
}

func (s *spool) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.dir == "" {
		return nil
	}
	return os.RemoveAll(s.dir)
}

func (b *blob) open() (io.ReadSeekCloser, error) {
	if b.sha256 == "" {
		return nil, errDiscarded
	}
	if b.path != "" {
		return os.Open(b.path)
	}
	return nopCloser{bytes.NewReader(b.data)}, nil
}

// discard deletes a content that cannot be read again. If that fails, closing the spool deletes
// it.
func (b *blob) discard() {
	if b.path != "" {
		_ = os.Remove(b.path)
	}
}
