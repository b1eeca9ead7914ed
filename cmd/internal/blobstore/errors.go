package blobstore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"slices"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"gocloud.dev/gcerrors"
	"google.golang.org/api/googleapi"
)

func invalid(reason string) error { return fmt.Errorf("%s: %w", reason, fs.ErrInvalid) }

func denied(reason string) error { return fmt.Errorf("%s: %w", reason, fs.ErrPermission) }

// storeError wraps a bucket's error in the matching error of package fs, and returns other errors
// unchanged. Its text enters history, so it omits the request's URL, which may hold a signature.
func storeError(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	if request, ok := errors.AsType[*url.Error](err); ok {
		address := "the object store"
		if parsed, err := url.Parse(request.URL); err == nil {
			address = parsed.Host
		}
		return fmt.Errorf("%s %s: %w", request.Op, address, request.Err)
	}
	// The status decides first: the drivers report some refusals as not found, and others as
	// unknown.
	status, code := httpStatus(err), gcerrors.Code(err)
	if azure, ok := errors.AsType[*azcore.ResponseError](err); ok {
		err = fmt.Errorf("answered %d %s", azure.StatusCode, azure.ErrorCode) // its own text is a page long
	}
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden, code == gcerrors.PermissionDenied, credentialsExpired(err):
		return fmt.Errorf("%w: %w", fs.ErrPermission, err)
	case status == http.StatusNotFound, code == gcerrors.NotFound:
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	case code == gcerrors.InvalidArgument:
		return fmt.Errorf("%w: %w", fs.ErrInvalid, err)
	default:
		return err
	}
}

// credentialsExpired reports whether S3 refuses temporary credentials. Its status is 400 then.
func credentialsExpired(err error) bool {
	var amazon interface{ ErrorCode() string }
	return errors.As(err, &amazon) && slices.Contains([]string{"ExpiredToken", "InvalidToken", "TokenRefreshRequired"}, amazon.ErrorCode())
}

// httpStatus returns the HTTP status of an object store's response, or 0.
func httpStatus(err error) int {
	var amazon interface{ HTTPStatusCode() int }
	var azure *azcore.ResponseError
	var google *googleapi.Error
	switch {
	case errors.As(err, &amazon):
		return amazon.HTTPStatusCode()
	case errors.As(err, &azure):
		return azure.StatusCode
	case errors.As(err, &google):
		return google.Code
	default:
		return 0
	}
}
