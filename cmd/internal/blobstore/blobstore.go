// Package blobstore reads and writes the files of agents in buckets of object stores, through
// gocloud.dev/blob:
//
//	stores, closeAll, err := blobstore.Open(ctx, "s3://claims?region=us-east-1", "mem://scratch")
//	...
//	defer closeAll()
//	options := worker.Options{Stores: stores}
//
// A workflow may then read s3://claims/2026/1042.csv and save to mem://scratch/results.
//
// Workflows supply references; the worker's operator controls the buckets and the access to them.
// So the operator lists the buckets with their options, and a reference names one of them and a
// key, and nothing else.
package blobstore

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/azureblob" // azblob:
	_ "gocloud.dev/blob/gcsblob"   // gs:
	_ "gocloud.dev/blob/memblob"   // mem:
	_ "gocloud.dev/blob/s3blob"    // s3:
	"gocloud.dev/gcp"

	"github.com/temporal-asteroid/asteroid"
)

var schemes = []string{"azblob", "gs", "mem", "s3"}

// Open opens the buckets that references may name, and returns a store for each scheme, for the
// Stores option of the worker.
//
// A bucket is a gocloud.dev URL, such as s3://claims?region=eu-central-1&prefix=2026/, gs://claims,
// azblob://claims?storage_account=acme or mem://scratch, which is empty and in memory. With a
// prefix, keys are relative to it. Each cloud's SDK takes its credentials from the environment. A
// missing bucket, or one that refuses the credentials, fails at its first use.
//
// closeAll closes the buckets. Call it after the worker has stopped.
func Open(ctx context.Context, buckets ...string) (stores map[string]asteroid.Store, closeAll func() error, err error) {
	var opened []*blob.Bucket
	closeAll = func() (err error) {
		for _, bucket := range opened {
			err = errors.Join(err, bucket.Close())
		}
		opened = nil
		return err
	}
	stores = map[string]asteroid.Store{}
	for i, text := range buckets {
		bucketURL, err := parseBucket(fmt.Sprintf("bucket %d", i+1), text)
		if err != nil {
			return nil, nil, errors.Join(err, closeAll())
		}
		if stores[bucketURL.Scheme] == nil {
			stores[bucketURL.Scheme] = store{}
		}
		known := stores[bucketURL.Scheme].(store)
		if known[bucketURL.Host] != nil {
			return nil, nil, errors.Join(fmt.Errorf("the bucket %s://%s is listed twice: list it once, because a reference could mean either", bucketURL.Scheme, bucketURL.Host), closeAll())
		}
		opening, err := openBucket(ctx, bucketURL)
		if err != nil {
			return nil, nil, errors.Join(fmt.Errorf("the bucket %s://%s cannot be opened: %s", bucketURL.Scheme, bucketURL.Host, withoutQuery(err, bucketURL)), closeAll())
		}
		opened = append(opened, opening)
		known[bucketURL.Host] = &bucket{Bucket: opening, name: bucketURL.Host, prefix: bucketURL.Query().Get("prefix")}
	}
	return stores, closeAll, nil
}

// withoutQuery returns an error's text without the options, which may hold what they should not.
func withoutQuery(err error, bucketURL *url.URL) string {
	if bucketURL.RawQuery == "" {
		return err.Error()
	}
	return strings.ReplaceAll(err.Error(), bucketURL.RawQuery, "...")
}

// parseBucket does not repeat the text in its errors: a credential may be in it.
func parseBucket(which, text string) (*url.URL, error) {
	bucketURL, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s is not a URL like s3://name?region=eu-central-1", which)
	case !slices.Contains(schemes, bucketURL.Scheme):
		return nil, fmt.Errorf("%s has none of the schemes %s: write a URL like s3://name?region=eu-central-1", which, strings.Join(schemes, ", "))
	case bucketURL.User != nil, bucketURL.Fragment != "":
		return nil, fmt.Errorf("%s has a user or a fragment: write only its name and options; credentials come from the environment", which)
	case bucketURL.Host == "":
		return nil, fmt.Errorf("%s has no name: write %s://name", which, bucketURL.Scheme)
	case strings.Trim(bucketURL.Path, "/") != "":
		return nil, fmt.Errorf("the bucket %s://%s has a path: write it as the option prefix=.../ to limit references to that prefix",
			bucketURL.Scheme, bucketURL.Host)
	}
	return bucketURL, nil
}

func openBucket(ctx context.Context, bucketURL *url.URL) (*blob.Bucket, error) {
	if bucketURL.Scheme == "gs" && bucketURL.Query().Get("anonymous") == "" && os.Getenv("STORAGE_EMULATOR_HOST") == "" {
		// Without this check the bucket opens, with a warning on the standard output, and fails at
		// every use.
		if _, err := gcp.DefaultCredentials(ctx); err != nil {
			return nil, err
		}
	}
	return blob.DefaultURLMux().OpenBucketURL(ctx, bucketURL)
}
