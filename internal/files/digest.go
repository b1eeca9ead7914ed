package files

import (
	"bytes"
	"cmp"
	"crypto/md5" //nolint:gosec // detects damage, not forgery
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Digests are the expected checksums of a file by algorithm: sha-256, sha-512, md5 or crc32c.
type Digests map[string][]byte

// algorithms are the checksums that file hosts publish. MD5 does not protect against forgery, but
// the checksums only have to detect damage.
var algorithms = map[string]func() hash.Hash{
	"sha-256": sha256.New,
	"sha-512": sha512.New,
	"md5":     md5.New,
	"crc32c":  func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
}

// digestsOf returns the checksums of the whole file that the header of a response with all of it
// states: Repr-Digest and Content-Digest (RFC 9530), Digest (RFC 3230), Content-MD5 and those of
// the large object stores.
func digestsOf(header http.Header) Digests {
	found := Digests{}
	add := func(algorithm, encoded string) {
		algorithm = strings.ToLower(strings.TrimSpace(algorithm))
		algorithm = cmp.Or(map[string]string{"sha256": "sha-256", "sha512": "sha-512"}[algorithm], algorithm)
		encoded, _, _ = strings.Cut(encoded, ";") // a parameter of RFC 8941
		raw, err := base64.StdEncoding.DecodeString(strings.Trim(strings.TrimSpace(encoded), ":"))
		if newHash := algorithms[algorithm]; err == nil && newHash != nil && len(raw) == newHash().Size() {
			found[algorithm] = raw
		}
	}
	for _, name := range []string{"Digest", "Content-Digest", "Repr-Digest", "X-Goog-Hash"} {
		for item := range strings.SplitSeq(strings.Join(header.Values(name), ","), ",") {
			if algorithm, encoded, ok := strings.Cut(item, "="); ok {
				add(algorithm, encoded)
			}
		}
	}
	add("md5", header.Get("Content-MD5"))
	add("sha-256", header.Get("X-Amz-Checksum-Sha256"))
	add("crc32c", header.Get("X-Amz-Checksum-Crc32c"))
	return found
}

// CheckedReader reads a file and compares its size and checksums with what is expected. A mismatch
// is an error in place of io.EOF, so that whoever stores the content stores nothing.
type CheckedReader struct {
	io.Reader
	name      string
	size      int64 // UnknownSize accepts any
	expected  Digests
	hashes    map[string]hash.Hash
	all       io.Writer // writes to all hashes
	BytesRead int64
	Failed    error // the error that a Read returned, other than io.EOF
	Ended     bool  // the end was reached and everything matched
}

// NewCheckedReader returns a CheckedReader that computes the SHA-256 and the expected digests. The
// name begins its error texts.
func NewCheckedReader(name string, r io.Reader, size int64, expected Digests) *CheckedReader {
	c := &CheckedReader{
		Reader: r, name: name, size: size, expected: expected,
		hashes: map[string]hash.Hash{"sha-256": sha256.New()},
	}
	writers := []io.Writer{c.hashes["sha-256"]}
	for algorithm := range expected {
		if c.hashes[algorithm] == nil {
			c.hashes[algorithm] = algorithms[algorithm]()
			writers = append(writers, c.hashes[algorithm])
		}
	}
	c.all = io.MultiWriter(writers...)
	return c
}

// Read implements [io.Reader].
func (c *CheckedReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.BytesRead += int64(n)
	_, _ = c.all.Write(p[:n]) // a hash never fails
	if errors.Is(err, io.EOF) {
		err = cmp.Or(c.check(), io.EOF)
	}
	switch {
	case errors.Is(err, io.EOF):
		c.Ended = true
	case err != nil:
		c.Failed = err
	}
	return n, err
}

// check compares what was read with what is expected.
func (c *CheckedReader) check() error {
	if c.size >= 0 && c.BytesRead != c.size {
		return Unavailable("%s has %d bytes instead of %d", c.name, c.BytesRead, c.size)
	}
	for _, algorithm := range slices.Sorted(maps.Keys(c.expected)) {
		if sum := c.hashes[algorithm].Sum(nil); !bytes.Equal(sum, c.expected[algorithm]) {
			return Unavailable("%s arrived altered: its %s is %x instead of %x", c.name, algorithm, sum, c.expected[algorithm])
		}
	}
	return nil
}

// SHA256 returns the checksum of the bytes read so far, in lower-case hex.
func (c *CheckedReader) SHA256() string { return fmt.Sprintf("%x", c.hashes["sha-256"].Sum(nil)) }

// SHA256Digest returns the digest that a SHA-256 in hex states, or nil if it is not one.
func SHA256Digest(checksum string) Digests {
	raw, err := hex.DecodeString(checksum)
	if err != nil || len(raw) != sha256.Size {
		return nil
	}
	return Digests{"sha-256": slices.Clone(raw)}
}
