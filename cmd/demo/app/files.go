package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/cmd/demo/samples"
)

// localFile is an input file of the first agent, with the digest that the agent should report.
type localFile struct {
	path   string
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	// SeenSHA256 is the digest that the agent reports; empty: none.
	SeenSHA256 string `json:"seenSha256"`
}

func (f *localFile) ref() asteroid.FileRef {
	return asteroid.FileRef{URI: fileURI(f.path)}
}

// fileURI returns the URI of an absolute path.
func fileURI(path string) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(path)}).String()
}

// openFiles checks and hashes the files, before anything is started.
func openFiles(paths []string) ([]*localFile, error) {
	files := make([]*localFile, len(paths))
	for i, path := range paths {
		file, err := openFile(path)
		if err != nil {
			return nil, err
		}
		files[i] = file
	}
	return files, nil
}

func openFile(path string) (*localFile, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(absolute)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("no such file: %s (check the path given with --file)", path)
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file: give a file with --file", path)
	}
	file, err := os.Open(absolute)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w (check its permissions)", path, errors.Unwrap(err))
	}
	defer file.Close()
	digest := sha256.New()
	size, err := io.Copy(digest, file)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return &localFile{path: absolute, Name: filepath.Base(absolute), Size: size, SHA256: hex.EncodeToString(digest.Sum(nil))}, nil
}

// sampleFiles writes the embedded sample files to a directory that the worker can read.
func sampleFiles() (paths []string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "asteroid-demo-")
	if err != nil {
		return nil, nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	if err := os.CopyFS(dir, samples.Files()); err != nil {
		remove()
		return nil, nil, err
	}
	return []string{filepath.Join(dir, samples.Claims), filepath.Join(dir, samples.ClaimForm)}, remove, nil
}

// fileRoots returns the directories of the files, which the worker must be allowed to read.
func fileRoots(files []*localFile) []string {
	roots := make([]string, len(files))
	for i, f := range files {
		roots[i] = filepath.Dir(f.path)
	}
	return roots
}
