// Package blobstore lets the files of agents come from and go to the buckets of object stores, through gocloud.dev/blob:
//
//	stores, closeBuckets, err := blobstore.Open(ctx, "s3://claims?region=eu-central-1", "mem://scratch")
//	...
//	defer closeBuckets()
//	options := worker.Options{Stores: stores}
//
// A workflow may then read s3://claims/2026/1042.csv and save to mem://scratch/results.
//
// References come from workflows, buckets and the worker's access to them are its operator's. So the operator lists the buckets
// that may be used, with the options that say how; a reference names one of them and a key, and nothing else.
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
	_ "gocloud.dev/blob/azureblob"
	_ "gocloud.dev/blob/gcsblob"
	_ "gocloud.dev/blob/memblob"
	_ "gocloud.dev/blob/s3blob"
	"gocloud.dev/gcp"

	"github.com/temporal-asteroid/asteroid"
)

var schemes = []string{"azblob", "gs", "mem", "s3"}

// Open opens the buckets that references may name and returns a store for each of their schemes, for the worker's Stores.
//
// A bucket is a URL as gocloud.dev defines it, such as s3://claims?region=eu-central-1&prefix=2026/, gs://claims,
// azblob://claims?storage_account=acme or mem://scratch, which is empty and gone at the end. With a prefix, references name
// what lies beneath it, without it. Credentials are what the environment gives to the SDK of each cloud. Whether the bucket is
// there, and open to them, shows when it is used.
//
// The stores are in use until the worker has stopped; then closeAll lets go of the buckets.
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
	for _, text := range buckets {
		place, err := parseBucket(text)
		if err != nil {
			return nil, nil, errors.Join(err, closeAll())
		}
		if stores[place.Scheme] == nil {
			stores[place.Scheme] = store{}
		}
		known := stores[place.Scheme].(store)
		if known[place.Host] != nil {
			return nil, nil, errors.Join(fmt.Errorf("the bucket %s://%s is listed twice: a reference could mean either", place.Scheme, place.Host), closeAll())
		}
		bucket, err := openBucket(ctx, place)
		if err != nil {
			return nil, nil, errors.Join(fmt.Errorf("the bucket %s cannot be opened: %w", text, err), closeAll())
		}
		opened = append(opened, bucket)
		known[place.Host] = bucket
	}
	return stores, closeAll, nil
}

func parseBucket(text string) (*url.URL, error) {
	place, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the bucket %q is not a URL like s3://name?region=eu-central-1", text)
	case !slices.Contains(schemes, place.Scheme):
		return nil, fmt.Errorf("the bucket %q has none of the schemes %s", text, strings.Join(schemes, ", "))
	case place.Host == "":
		return nil, fmt.Errorf("the bucket %q has no name: write %s://name", text, place.Scheme)
	case strings.Trim(place.Path, "/") != "":
		return nil, fmt.Errorf("the bucket %q has a path: write %s://%s?prefix=%s/ if references may only name what lies there",
			text, place.Scheme, place.Host, strings.Trim(place.Path, "/"))
	case place.User != nil, place.Fragment != "":
		return nil, fmt.Errorf("the bucket %q has more than a name and options", text)
	}
	return place, nil
}

func openBucket(ctx context.Context, place *url.URL) (*blob.Bucket, error) {
	if place.Scheme == "gs" && place.Query().Get("anonymous") == "" && os.Getenv("STORAGE_EMULATOR_HOST") == "" {
		// Without this it would open, with a warning on the standard output, and fail at every use.
		if _, err := gcp.DefaultCredentials(ctx); err != nil {
			return nil, err
		}
	}
	return blob.DefaultURLMux().OpenBucketURL(ctx, place)
}
