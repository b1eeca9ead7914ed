package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// makeFolder creates a folder beneath dir, with its parents, so that it survives a power cut. It
// also syncs parents that exist, because another writer may have created them just now.
func makeFolder(dir *os.Root, folder string) error {
	if err := dir.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for folder != "." {
		folder = filepath.Dir(folder)
		if err := syncFolder(dir, folder); err != nil {
			return err
		}
	}
	return nil
}

// syncFolder writes the names in a folder to the disk, where the system supports it and the worker
// may read the folder.
func syncFolder(dir *os.Root, folder string) error {
	if runtime.GOOS == "windows" { // has no sync of folders
		return nil
	}
	opened, err := dir.Open(folder)
	if err == nil {
		err = opened.Sync()
		_ = opened.Close()
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}
