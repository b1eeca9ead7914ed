package blobstore

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"path"

	"cloud.google.com/go/storage"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// probeName is the name of a file that is never written.
const probeName = ".asteroid-check"

// CheckDestination begins to write a file below the URI, in a way that cannot complete. So it needs
// no other permissions than Write does, and stores nothing. It implements
// [asteroid.DestinationChecker].
func (s store) CheckDestination(ctx context.Context, uri *url.URL) error {
	bucket, key, err := s.findPlace(uri)
	if err != nil {
		return err
	}
	key = bucket.prefix + path.Join(key, probeName)
	var amazon *s3.Client
	var google *storage.Client
	var azure *container.Client
	switch {
	case bucket.As(&amazon):
		err = probeAmazon(ctx, amazon, bucket.name, key)
	case bucket.As(&google):
		err = probeGoogle(ctx, google, bucket.name, key)
	case bucket.As(&azure):
		err = probeAzure(ctx, azure, key)
	}
	return storeError(err)
}

// probeAmazon begins a multipart upload and aborts it.
func probeAmazon(ctx context.Context, client *s3.Client, bucket, key string) error {
	begun, err := client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: &key})
	if err == nil {
		// An upload without parts costs nothing, even if the worker may not abort it.
		_, _ = client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &bucket, Key: &key, UploadId: begun.UploadId})
	}
	return err
}

// probeGoogle replaces a generation of a file that no file has.
func probeGoogle(ctx context.Context, client *storage.Client, bucket, key string) error {
	w := client.Bucket(bucket).Object(key).If(storage.Conditions{GenerationMatch: 1}).NewWriter(ctx)
	if err := w.Close(); httpStatus(err) != http.StatusPreconditionFailed {
		return err
	}
	return nil
}

// probeAzure replaces a version of a file that no file has.
func probeAzure(ctx context.Context, client *container.Client, key string) error {
	noVersion := azcore.ETag(`"0x0"`)
	_, err := client.NewBlockBlobClient(key).Upload(ctx, streaming.NopCloser(bytes.NewReader(nil)), &blockblob.UploadOptions{
		AccessConditions: &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfMatch: &noVersion}},
	})
	if bloberror.HasCode(err, bloberror.ConditionNotMet, bloberror.BlobNotFound) {
		return nil
	}
	return err
}
