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

// spoolInMemory is how much of a file is held in memory; a longer one goes to a temporary file.
const spoolInMemory = 256 << 10

// spool keeps file contents for as long as the API lives.
type spool struct {
	mu     sync.Mutex
	dir    string
	closed bool
}

// blob is one immutable content.
type blob struct {
	data   []byte
	path   string // set if the content is on disk
	size   int64
	sha256 string // lower-case hex; empty if the content was not kept
}

// errDiscarded is the error of opening what was not kept.
var errDiscarded = errors.New("the contents of uploads are not kept, see WithDiscardedUploads")

// take reads r to its end. However long r is, no more than spoolInMemory and a copy buffer is held in memory.
func (s *spool) take(r io.Reader) (*blob, error) {
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

// bytes keeps content that is in memory already.
func (s *spool) bytes(content []byte) *blob {
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

// discard frees what nobody can ask for any more. What cannot be removed now is when the spool is closed.
func (b *blob) discard() {
	if b.path != "" {
		_ = os.Remove(b.path)
	}
}
