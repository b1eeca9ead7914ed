package blobstore

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"slices"
	"strings"

	"gocloud.dev/blob"

	"github.com/temporal-asteroid/asteroid"
)

// store holds the buckets of one scheme, by name.
type store map[string]*bucket

// bucket is a bucket that the worker's operator has listed.
type bucket struct {
	*blob.Bucket
	name, prefix string
}

// find returns the bucket and the key that a reference names. Its errors follow the contract of
// [asteroid.Store].
func (s store) find(uri *url.URL) (*bucket, string, error) {
	bucket, key, err := s.findPlace(uri)
	if err == nil && key == "" {
		err = invalid("it names no file in the bucket")
	}
	return bucket, key, err
}

// findPlace is find for a destination, whose key is empty if it is the whole bucket.
func (s store) findPlace(uri *url.URL) (*bucket, string, error) {
	bucket, key := s[uri.Host], strings.TrimPrefix(uri.Path, "/")
	switch {
	case uri.RawQuery != "" || uri.ForceQuery:
		return nil, "", invalid("it has a query, but only the worker's operator sets a bucket's options: write a ? in the name as %3F")
	case uri.User != nil, uri.Opaque != "", uri.Fragment != "":
		return nil, "", invalid("it has more than a bucket and a key")
	case bucket == nil:
		return nil, "", denied("the worker's operator has not listed its bucket")
	case slices.ContainsFunc(strings.Split(key, "/"), func(element string) bool { return element == "." || element == ".." }):
		// An object store takes them as names. A gateway in front of it may resolve them and leave
		// the prefix or the bucket.
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

// reader hides the other methods of blob.Reader and converts its errors.
type reader struct{ io.ReadCloser }

func (r reader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	return n, storeError(err)
}

// A write holds at most partsAtOnce parts in memory, whatever the size of the file. S3 takes 10,000
// parts: 80 GB.
const (
	partSize    = 8 << 20
	partsAtOnce = 2
)

// Write replaces a file atomically. After an aborted write, S3 may store parts that are not listed
// but cost money. A lifecycle rule of the bucket removes them (AbortIncompleteMultipartUpload).
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
		abort() // otherwise Close would publish the incomplete content
		_ = w.Close()
		return storeError(err)
	}
	return storeError(w.Close())
}

// Delete removes a file. It implements [asteroid.Deleter].
func (s store) Delete(ctx context.Context, uri *url.URL) error {
	bucket, key, err := s.find(uri)
	if err != nil {
		return err
	}
	if err := storeError(bucket.Bucket.Delete(ctx, key)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
