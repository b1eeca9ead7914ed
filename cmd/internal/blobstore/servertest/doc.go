// Package servertest tests package blobstore against servers that others wrote: versitygw for s3:,
// fake-gcs-server for gs: and Azurite for azblob:. They run on the loopback interface. A test skips
// those that are not on the PATH; .ci/object-stores installs them.
package servertest
