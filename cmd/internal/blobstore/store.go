package blobstore

import (
	"context"
	"io"
	"net/url"
	"slices"
	"strings"

	"gocloud.dev/blob"

	"github.com/temporal-asteroid/asteroid"
)

// store is the buckets of one scheme, by name.
type store map[string]*blob.Bucket

// find returns the bucket and the key that a reference names. Its errors are those of the contract of [asteroid.Store].
func (s store) find(uri *url.URL) (*blob.Bucket, string, error) {
	bucket, key := s[uri.Host], strings.TrimPrefix(uri.Path, "/")
	switch {
	case uri.RawQuery != "" || uri.ForceQuery:
		return nil, "", invalid("it has a query, but how a bucket is reached is for the worker's operator to say: write ? as %3F where it belongs to the name")
	case uri.User != nil, uri.Opaque != "", uri.Fragment != "":
		return nil, "", invalid("it has more than a bucket and a key")
	case bucket == nil:
		return nil, "", denied("its bucket is none of those that the worker's operator has listed")
	case key == "":
		return nil, "", invalid("it names no file in the bucket")
	case slices.ContainsFunc(strings.Split(key, "/"), func(element string) bool { return element == "." || element == ".." }):
		// To an object store they are names like others; to a gateway before it, they may lead out of the prefix or the bucket.
		return nil, "", invalid("its key has an element . or ..")
	}
	return bucket, key, nil
}

func (s store) Stat(ctx context.Context, uri *url.URL) (asteroid.FileInfo, error) {
	bucket, key, err := s.find(uri)
	if err != nil {
		return asteroid.FileInfo{}, err
	}
	attributes, err := bucket.Attributes(ctx, key)
	if err != nil {
		return asteroid.FileInfo{}, storeError(err)
	}
	return asteroid.FileInfo{ContentType: attributes.ContentType, Size: attributes.Size}, nil
}

func (s store) Open(ctx context.Context, uri *url.URL) (io.ReadCloser, error) {
	bucket, key, err := s.find(uri)
	if err != nil {
		return nil, err
	}
	opened, err := bucket.NewReader(ctx, key, nil)
	if err != nil {
		return nil, storeError(err)
	}
	return reader{opened}, nil
}

// reader hides what else a blob.Reader can do, and says what its errors mean.
type reader struct{ io.ReadCloser }

func (r reader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	return n, storeError(err)
}

// What a write of one file holds in memory is a part or two, whatever the size of the file. S3 takes 10,000 of them: 80 GB.
const (
	partSize    = 8 << 20
	partsAtOnce = 2
)

// Write replaces a file at once. Of one that is aborted S3 may keep parts, which nobody sees but who pays for them: a rule of
// the bucket removes those (AbortIncompleteMultipartUpload).
func (s store) Write(ctx context.Context, uri *url.URL, content io.Reader, info asteroid.FileInfo) error {
	bucket, key, err := s.find(uri)
	if err != nil {
		return err
	}
	ctx, abort := context.WithCancel(ctx)
	defer abort()
	w, err := bucket.NewWriter(ctx, key, &blob.WriterOptions{ContentType: info.ContentType, BufferSize: partSize, MaxConcurrency: partsAtOnce})
	if err != nil {
		return storeError(err)
	}
	if _, err := io.Copy(w, content); err != nil {
		abort() // or Close would publish what has arrived so far
		_ = w.Close()
		return storeError(err)
	}
	return storeError(w.Close())
}
