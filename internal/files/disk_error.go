package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"

	"github.com/temporal-asteroid/asteroid"
)

// readError classifies an error of the file system when a file is opened.
func readError(path string, err error) error {
	var errno syscall.Errno
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return NotFound("there is no file %s on this worker: the path must be on a disk that every worker mounts", path)
	case errors.Is(err, fs.ErrPermission):
		return Unauthorized("%s cannot be opened: %w", path, err)
	case !errors.As(err, &errno), // a path that leads out of the root
		errors.Is(err, syscall.ENAMETOOLONG), errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR):
		return Invalid("%s cannot be opened: %w", path, err)
	default:
		return Unavailable("%s cannot be opened: %w", path, err)
	}
}

// Errors of the file system that no retry of a write corrects. All others pass: ENOENT, because
// the writer creates what it lacks and so somebody has removed it meanwhile; ENOSPC and EDQUOT,
// because somebody may make room; EIO, ESTALE and the like, because a disk may come back.
var (
	writeForbidden = []syscall.Errno{syscall.EACCES, syscall.EPERM, syscall.EROFS}
	writeInvalid   = []syscall.Errno{
		syscall.ENAMETOOLONG, syscall.ELOOP, syscall.ENOTDIR,
		syscall.EISDIR, syscall.EEXIST, syscall.ENOTEMPTY, // a directory has the file's name
		syscall.EINVAL, syscall.EILSEQ, // the file system does not take the name
		syscall.EFBIG,                                       // the file system does not take the size
		syscall.EMLINK,                                      // the parent folder has as many folders as it takes
		syscall.EXDEV,                                       // another file system is mounted in place of the file
		syscall.ENOSYS, syscall.ENOTSUP, syscall.EOPNOTSUPP, // the file system lacks an operation
	}
)

// writeError classifies an error of writing a file. An error of the content stays as it is.
func writeError(path string, err error) error {
	_, atPath := errors.AsType[*fs.PathError](err)
	_, atLink := errors.AsType[*os.LinkError](err)
	if !atPath && !atLink {
		return err
	}
	errorType := asteroid.ErrorTypeUnavailable
	errno, ok := errors.AsType[syscall.Errno](err)
	switch {
	case slices.Contains(writeForbidden, errno):
		errorType = asteroid.ErrorTypeUnauthorized
	case slices.Contains(writeInvalid, errno), !ok: // without a number, the path leads out of the root
		errorType = asteroid.ErrorTypeInvalidInput
	}
	return &Error{Type: errorType, error: fmt.Errorf("%s cannot be written: %w", path, err)}
}
