package blobstore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"gocloud.dev/gcerrors"
	"google.golang.org/api/googleapi"
)

func invalid(what string) error { return fmt.Errorf("%s: %w", what, fs.ErrInvalid) }

func denied(what string) error { return fmt.Errorf("%s: %w", what, fs.ErrPermission) }

// storeError says in the words of package fs what an error of a bucket means, and leaves others as they are. Its text stands
// in history, so it does not hold the address of a request, where a signature may be.
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
	// The status comes first: the drivers take some that are refused for missing, and others for nothing in particular.
	status, code := httpStatus(err), gcerrors.Code(err)
	if azure, ok := errors.AsType[*azcore.ResponseError](err); ok {
		err = fmt.Errorf("answered %d %s", azure.StatusCode, azure.ErrorCode) // its own text is a page
	}
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden, code == gcerrors.PermissionDenied:
		return fmt.Errorf("%w: %w", fs.ErrPermission, err)
	case code == gcerrors.NotFound:
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	case code == gcerrors.InvalidArgument:
		return fmt.Errorf("%w: %w", fs.ErrInvalid, err)
	default:
		return err
	}
}

// httpStatus returns the status that an object store has answered with, or 0.
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
