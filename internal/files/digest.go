package files

import (
	"bytes"
	"cmp"
	"crypto/md5"
	"crypto/sha256"
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

// digests are what a file's checksums ought to be, by the algorithm's name.
type digests map[string][]byte

// algorithms are the checksums that hosts of files publish. MD5 is no protection against forgery, but none is needed
// here: what is looked for is damage.
var algorithms = map[string]func() hash.Hash{
	"sha-256": sha256.New,
	"md5":     md5.New,
	"crc32c":  func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
}

// digestsOf reads the checksums of a whole file from an answer's header: Repr-Digest (RFC 9530), Digest (RFC 3230),
// Content-MD5 and those of the large object stores.
func digestsOf(header http.Header) digests {
	found := digests{}
	add := func(algorithm, encoded string) {
		algorithm = strings.ToLower(strings.TrimSpace(algorithm))
		algorithm = cmp.Or(map[string]string{"sha256": "sha-256"}[algorithm], algorithm)
		raw, err := base64.StdEncoding.DecodeString(strings.Trim(strings.TrimSpace(encoded), ":"))
		if known := algorithms[algorithm]; err == nil && known != nil && len(raw) == known().Size() {
			found[algorithm] = raw
		}
	}
	for _, name := range []string{"Digest", "Repr-Digest", "X-Goog-Hash"} {
		for item := range strings.SplitSeq(strings.Join(header.Values(name), ","), ",") {
			if algorithm, encoded, ok := strings.Cut(item, "="); ok {
				add(algorithm, encoded)
			}
		}
	}
	add("md5", header.Get("Content-MD5"))
	add("sha-256", header.Get("X-Amz-Checksum-Sha256"))
	return found
}

// checkedReader passes on a file and fails, in place of its end, where size or checksums are not what they ought to be: who
// stores what it reads, stores nothing then.
type checkedReader struct {
	io.Reader
	name      string
	size      int64 // unknownSize: any
	expect    digests
	hashes    map[string]hash.Hash
	all       io.Writer
	BytesRead int64
	Failed    error // why it did not come to its end
	Ended     bool
}

// newCheckedReader always computes the SHA-256, and others where they are expected.
func NewCheckedReader(name string, r io.Reader, size int64, expect digests) *checkedReader {
	c := &checkedReader{Reader: r, name: name, size: size, expect: expect, hashes: map[string]hash.Hash{"sha-256": sha256.New()}}
	writers := []io.Writer{c.hashes["sha-256"]}
	for algorithm := range expect {
		if c.hashes[algorithm] == nil {
			c.hashes[algorithm] = algorithms[algorithm]()
			writers = append(writers, c.hashes[algorithm])
		}
	}
	c.all = io.MultiWriter(writers...)
	return c
}

func (c *checkedReader) Read(p []byte) (int, error) {
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

func (c *checkedReader) check() error {
	if c.size >= 0 && c.BytesRead != c.size {
		return Unavailable("%s has %d bytes instead of %d", c.name, c.BytesRead, c.size)
	}
	for _, algorithm := range slices.Sorted(maps.Keys(c.expect)) {
		if got := c.hashes[algorithm].Sum(nil); !bytes.Equal(got, c.expect[algorithm]) {
			return Unavailable("%s arrived altered: its %s is %x instead of %x", c.name, algorithm, got, c.expect[algorithm])
		}
	}
	return nil
}

// sha256 is the checksum of what was read, in lower-case hex.
func (c *checkedReader) SHA256() string { return fmt.Sprintf("%x", c.hashes["sha-256"].Sum(nil)) }

// hexDigest reads a SHA-256 as the service writes it; none where it does not.
func HexDigest(text string) digests {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != sha256.Size {
		return nil
	}
	return digests{"sha-256": slices.Clone(raw)}
}
