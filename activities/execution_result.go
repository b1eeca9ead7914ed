package activities

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/bound"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/files"
)

const resultContentType = "application/json"

// resultFileID stands for an execution's result among its files. No id of the service has a slash.
const resultFileID = "/result"

// resultFile is an execution's result as a file. It does not hold the content, which may be large
// and is read again when it is needed.
type resultFile struct {
	c           *client.Client
	executionID string
	size        int64
	sha256      string
}

// readResult returns an execution's result in compact form, empty if there is none, and its status.
func readResult(ctx context.Context, c *client.Client, executionID string) (json.RawMessage, asteroid.Status, error) {
	e, err := c.Execution(ctx, executionID)
	if err != nil {
		return nil, "", err
	}
	return bound.Compact(e.Result()), e.Status, nil
}

// findResult returns an execution's result as a file, nil if it has none, and its status.
func findResult(ctx context.Context, c *client.Client, executionID string) (*resultFile, asteroid.Status, error) {
	content, status, err := readResult(ctx, c, executionID)
	if err != nil || len(content) == 0 {
		return nil, status, err
	}
	sum := sha256.Sum256(content)
	return &resultFile{c, executionID, int64(len(content)), hex.EncodeToString(sum[:])}, status, nil
}

// file returns the result as a file of its execution, in none of the directories.
func (r *resultFile) file() client.File {
	return client.File{ID: resultFileID, Name: asteroid.ResultFileName, ContentType: resultContentType, Size: r.size}
}

// open reads the result again. It never changes once the execution has completed.
func (r *resultFile) open(ctx context.Context) (io.ReadCloser, error) {
	content, _, err := readResult(ctx, r.c, r.executionID)
	if err != nil {
		return nil, linkError(err)
	}
	if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != r.sha256 {
		return nil, files.Unavailable("the result of execution %s has changed since it was found", r.executionID)
	}
	return io.NopCloser(bytes.NewReader(content)), nil
}

// findExecutionResult returns the source of an execution's result.
func (f *finder) findExecutionResult(ctx context.Context, executionID string) (*files.Source, error) {
	result, status, err := findResult(ctx, f.connection, executionID)
	switch {
	case err != nil:
		return nil, f.forgiveEarlyNotFound(ctx, err)
	case result != nil:
		return &files.Source{Name: asteroid.ResultFileName, ContentType: resultContentType, Size: result.size, Open: result.open}, nil
	}
	message := fmt.Sprintf("execution %s has no result: its status is %s", executionID, status)
	if status == asteroid.StatusCompleted && f.waited < resultPatience {
		return nil, files.Unavailable("%s, and the result may follow", message)
	}
	return nil, files.NotFound("%s", message)
}
