package blobstore_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/cmd/internal/blobstore"
)

func open(t *testing.T, buckets ...string) map[string]asteroid.Store {
	t.Helper()
	stores, closeAll, err := blobstore.Open(t.Context(), buckets...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, closeAll()) })
	return stores
}

func parse(t *testing.T, uri string) *url.URL {
	t.Helper()
	parsed, err := url.Parse(uri)
	require.NoError(t, err)
	return parsed
}

func write(t *testing.T, store asteroid.Store, uri, content string) {
	t.Helper()
	require.NoError(t, store.Write(t.Context(), parse(t, uri), strings.NewReader(content), asteroid.FileInfo{ContentType: "text/csv", Size: int64(len(content))}))
}

func read(t *testing.T, store asteroid.Store, uri string) string {
	t.Helper()
	opened, err := store.Open(t.Context(), parse(t, uri))
	require.NoError(t, err)
	content, err := io.ReadAll(opened)
	require.NoError(t, err)
	require.NoError(t, opened.Close())
	return string(content)
}

func TestStoreReadsAndDescribesWhatItWrote(t *testing.T) {
	store := open(t, "mem://scratch")["mem"]
	for _, uri := range []string{"mem://scratch/claims.csv", "mem://scratch/2026/ä b%20c%23%3F.csv", "mem://scratch/empty"} {
		content := strings.Repeat("claim,amount\n", len(uri))
		if strings.HasSuffix(uri, "empty") {
			content = ""
		}
		write(t, store, uri, "what was there before, and is longer: "+content)
		write(t, store, uri, content)
		require.Equal(t, content, read(t, store, uri))
		info, err := store.Stat(t.Context(), parse(t, uri))
		require.NoError(t, err)
		require.Equal(t, asteroid.FileInfo{ContentType: "text/csv", Size: int64(len(content))}, info)
	}
	require.NotEmpty(t, read(t, store, "mem://scratch/2026/%C3%A4%20b%20c%23%3F.csv"), "another spelling of the same key")
}

func TestStoreSeparatesBucketsOfOneScheme(t *testing.T) {
	store := open(t, "mem://one", "mem://two?prefix=mine/")["mem"]
	write(t, store, "mem://one/a", "1")
	write(t, store, "mem://two/a", "2")
	require.Equal(t, "1", read(t, store, "mem://one/a"))
	require.Equal(t, "2", read(t, store, "mem://two/a"))
}

func TestStoreWriteAbortedKeepsOldFile(t *testing.T) {
	store := open(t, "mem://scratch")["mem"]
	write(t, store, "mem://scratch/old", "old")
	broken := errors.New("the line is dead")
	for _, uri := range []string{"mem://scratch/old", "mem://scratch/new"} {
		for name, sent := range map[string]int{"at once": 0, "before the type is known": 100, "later": 3 << 20} {
			content := io.MultiReader(strings.NewReader(strings.Repeat("x", sent)), iotest.ErrReader(broken))
			err := store.Write(t.Context(), parse(t, uri), content, asteroid.FileInfo{Size: -1})
			require.ErrorIs(t, err, broken, name)
		}
		ctx, cancel := context.WithCancel(t.Context())
		err := store.Write(ctx, parse(t, uri), &endReader{Reader: strings.NewReader("all of it"), atEnd: cancel}, asteroid.FileInfo{Size: -1})
		require.ErrorIs(t, err, context.Canceled, "cancelled after the last byte")
	}
	require.Equal(t, "old", read(t, store, "mem://scratch/old"))
	_, err := store.Stat(t.Context(), parse(t, "mem://scratch/new"))
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// endReader calls atEnd before it returns io.EOF.
type endReader struct {
	io.Reader
	atEnd func()
}

func (r *endReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		r.atEnd()
	}
	return n, err
}

func TestStoreRejectsReferencesBeyondListedBucketAndKey(t *testing.T) {
	store := open(t, "mem://scratch?prefix=mine/")["mem"]
	write(t, store, "mem://scratch/a", "x")
	for uri, want := range map[string]error{
		"mem://scratch/a?prefix=":                  fs.ErrInvalid,
		"mem://scratch/a?endpoint=http://10.0.0.1": fs.ErrInvalid,
		"mem://scratch/a?":                         fs.ErrInvalid,
		"mem://scratch/a#b":                        fs.ErrInvalid,
		"mem://me:secret@scratch/a":                fs.ErrInvalid,
		"mem:scratch/a":                            fs.ErrInvalid,
		"mem://scratch":                            fs.ErrInvalid,
		"mem://scratch/":                           fs.ErrInvalid,
		"mem://scratch/../theirs/a":                fs.ErrInvalid,
		"mem://scratch/x/../../a":                  fs.ErrInvalid,
		"mem://scratch/%2e%2e/theirs/a":            fs.ErrInvalid,
		"mem://scratch/..%2Ftheirs%2Fa":            fs.ErrInvalid,
		"mem://scratch/./a":                        fs.ErrInvalid,
		"mem://scratch/a%FF":                       fs.ErrInvalid,
		"mem://other/a":                            fs.ErrPermission,
		"mem://scratch:80/a":                       fs.ErrPermission,
		"mem://SCRATCH/a":                          fs.ErrPermission,
		"mem:///a":                                 fs.ErrPermission,
		"mem://scratch/b":                          fs.ErrNotExist,
		"mem://scratch/mine/a":                     fs.ErrNotExist,
	} {
		_, err := store.Stat(t.Context(), parse(t, uri))
		require.ErrorIs(t, err, want, uri)
		_, err = store.Open(t.Context(), parse(t, uri))
		require.ErrorIs(t, err, want, uri)
		if !errors.Is(want, fs.ErrNotExist) {
			err = store.Write(t.Context(), parse(t, uri), iotest.ErrReader(errors.New("was read")), asteroid.FileInfo{})
			require.ErrorIs(t, err, want, uri)
		}
	}
}

func TestOpenNamesMistakeInBucket(t *testing.T) {
	for bucket, want := range map[string]string{
		"claims":                         "bucket 2 has none of the schemes azblob, gs, mem, s3",
		"file:///srv":                    "none of the schemes",
		"https://example.com":            "none of the schemes",
		"s3://%zz":                       "is not a URL",
		"mem://":                         "has no name: write mem://name",
		"s3:///claims":                   "has no name",
		"s3://claims/2026/":              "write it as the option prefix=.../",
		"s3://key:secret@claims":         "has a user or a fragment",
		"s3://key:sec/ret@claims":        "is not a URL",
		"mem://a#b":                      "has a user or a fragment",
		"mem://a?region=x":               "cannot be opened",
		"s3://a?accelerate=perhaps":      "cannot be opened",
		"azblob://a?storage_account=":    "cannot be opened",
		"gs://a?anonymous=true&region=x": "cannot be opened",
	} {
		_, _, err := blobstore.Open(t.Context(), "mem://fine", bucket)
		require.ErrorContains(t, err, want, bucket)
		for _, secret := range []string{"secret", "sec/ret"} {
			require.NotContains(t, err.Error(), secret, bucket)
		}
		require.NotContains(t, err.Error(), "\n", bucket)
	}
	_, _, err := blobstore.Open(t.Context(), "mem://a", "mem://a?nomd5")
	require.ErrorContains(t, err, "listed twice")
}

func TestOpenWithoutBucketsReturnsNoStores(t *testing.T) {
	require.Empty(t, open(t))
}

func TestStoreDeletes(t *testing.T) {
	store := open(t, "mem://scratch?prefix=mine/")["mem"]
	deleter, ok := store.(asteroid.Deleter)
	require.True(t, ok)
	write(t, store, "mem://scratch/a%20b", "1")
	write(t, store, "mem://scratch/kept", "2")
	for range 2 { // a file that does not exist is no error
		require.NoError(t, deleter.Delete(t.Context(), parse(t, "mem://scratch/a%20b")))
		_, err := store.Open(t.Context(), parse(t, "mem://scratch/a%20b"))
		require.ErrorIs(t, err, fs.ErrNotExist)
	}
	require.Equal(t, "2", read(t, store, "mem://scratch/kept"))
	for uri, want := range map[string]error{
		"mem://other/a": fs.ErrPermission, "mem://scratch": fs.ErrInvalid, "mem://scratch/../a": fs.ErrInvalid, "mem://scratch/a?x": fs.ErrInvalid,
	} {
		require.ErrorIs(t, deleter.Delete(t.Context(), parse(t, uri)), want, uri)
	}
}
