//go:build unix

package files

import (
	"io/fs"
	"syscall"
)

// checkWritable returns an error of the file system if the worker may not create files in a folder,
// or if its disk is read-only.
func checkWritable(folder string) error {
	const writeAndSearch = 0o3
	if err := syscall.Access(folder, writeAndSearch); err != nil {
		return &fs.PathError{Op: "access", Path: folder, Err: err}
	}
	return nil
}
