package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid/internal/budget"
	"github.com/temporal-asteroid/asteroid/internal/httphdr"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// UploadsDirectory is the directory of the files that an execution was given.
const UploadsDirectory = "uploads"

// File is a file of an execution, as the service lists it.
type File struct {
	ID string
	// Directory is one of uploads, downloads, workspace, shared and debug.
	Directory string
	Name      string
	// Path is the file's path on the agent's machine; see [File.RelativePath].
	Path        string
	ContentType string
	Size        int64
	AgentID     string
	// CreatedAt and UpdatedAt are zero when the service does not report them.
	CreatedAt, UpdatedAt time.Time
}

// RelativePath returns the file's path below its directory, folders of the agent included.
func (f File) RelativePath() string {
	if below, ok := strings.CutPrefix(strings.TrimPrefix(f.Path, "/"), f.Directory+"/"); ok && below != "" {
		return below
	}
	return f.Name
}

// Files lists an execution's files, its directories in alphabetical order
// (https://docs.asteroid.ai/api-reference/files/get-execution-files).
func (c *Client) Files(ctx context.Context, executionID string) ([]File, error) {
	op := Operation{Name: "ExecutionFilesGet", executionID: executionID, maxResponse: budget.ExecutionResponse}
	listed, err := c.fetchObject(ctx, op, func(ctx context.Context) (*http.Response, error) {
		return c.api.ExecutionFilesGet(ctx, executionID)
	}, anySuccess)
	if err != nil {
		return nil, err
	}
	directories := listed.object("directories")
	var files []File
	for _, directory := range slices.Sorted(maps.Keys(directories)) {
		for _, f := range directories.objects(directory) {
			files = append(files, File{
				ID: f.text("id"), Directory: text.Prose(directory, budget.Name), Name: f.text("fileName"), Path: f.text("filePath"), ContentType: f.text("mimeType"),
				Size: f.integer("fileSize"), AgentID: f.text("agentId"), CreatedAt: f.time("createdAt"), UpdatedAt: f.time("updatedAt"),
			})
		}
	}
	return files, nil
}

// InDirectory returns the files that lie in a directory.
func InDirectory(files []File, directory string) []File {
	return slices.DeleteFunc(slices.Clone(files), func(file File) bool { return file.Directory != directory })
}

// AddedFiles returns the names of the files that the agent added, according to the newest entries
// of the execution's log. It returns none when the service refuses the log.
func (c *Client) AddedFiles(ctx context.Context, executionID string) ([]string, error) {
	entries, err := c.log(ctx, executionID, maxLogEntries)
	if rejected(err) {
		return nil, nil
	}
	var names []string
	for _, entry := range entries {
		if entry.kind == "file_added" && entry.text("source") != "upload" && entry.text("fileName") != "" {
			names = append(names, entry.text("fileName"))
		}
	}
	return names, err
}

// SharedChecksums returns the SHA-256 of shared files, in hex, by file id. The service has none of
// other files. A checksum is returned only for the version that this execution wrote.
func (c *Client) SharedChecksums(ctx context.Context, executionID string, listed []File) (map[string]string, error) {
	shared := InDirectory(listed, "shared")
	if len(shared) == 0 {
		return nil, nil
	}
	agentID := shared[0].AgentID
	if agentID == "" {
		e, err := c.Execution(ctx, executionID)
		if err != nil {
			return nil, err
		}
		agentID = e.AgentID
	}
	op := Operation{Name: "AgentSharedFilesGet", executionID: executionID}
	stored, err := c.fetchObject(ctx, op, func(ctx context.Context) (*http.Response, error) {
		return c.api.AgentSharedFilesGet(ctx, agentID)
	}, anySuccess)
	if rejected(err) {
		return nil, nil // an older service, or the agent has been deleted
	}
	if err != nil {
		return nil, err
	}
	checksums := map[string]string{}
	for _, file := range shared {
		var same []members
		for _, s := range stored.objects("files") {
			if s.text("lastModifiedByExecutionId") == executionID && s.text("fileName") == file.Name && s.integer("fileSize") == file.Size {
				same = append(same, s)
			}
		}
		if len(same) == 1 { // files with one name and size cannot be distinguished
			checksums[file.ID] = same[0].text("checksum")
		}
	}
	return checksums, nil
}

// Link returns a new signed link to a file
// (https://docs.asteroid.ai/api-reference/files/download-execution-file). It leads to another host,
// which must not get the API key: follow it with [Client.Links].
func (c *Client) Link(ctx context.Context, executionID, fileID string) (string, error) {
	op := Operation{Name: "ExecutionFileDownloadRedirect", executionID: executionID}
	redirect, err := c.send(ctx, op, func(ctx context.Context) (*http.Response, error) {
		return c.api.ExecutionFileDownloadRedirect(ctx, executionID, fileID)
	}, http.StatusSeeOther, http.StatusFound, http.StatusTemporaryRedirect)
	if err != nil {
		return "", err
	}
	address, err := c.base.Parse(redirect.location)
	if err != nil { // its text would repeat the signature
		err = errors.New("it is no address")
	} else {
		err = c.allowLink(address)
	}
	if err != nil {
		return "", c.errorf(op, "the link to the file cannot be followed: %v", err)
	}
	return address.String(), nil
}

// allowLink refuses links over plain HTTP, except between loopback hosts.
func (c *Client) allowLink(address *url.URL) error {
	switch {
	case address.Scheme == "https":
	case address.Scheme == "http" && loopback(address.Hostname()) && loopback(c.base.Hostname()):
	default:
		return errors.New("it is no https address")
	}
	return nil
}

// newLinkClient returns an HTTP client for signed links. It uses the connection's transport and
// sends no API key.
func (c *Client) newLinkClient() *http.Client {
	return &http.Client{
		Transport: c.Transport,
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > httphdr.MaxRedirects {
				return fmt.Errorf("redirected more than %d times", httphdr.MaxRedirects)
			}
			r.Header.Del("Referer")
			return c.allowLink(r.URL)
		},
	}
}

// Stage uploads one file, called name, for a later execute
// (https://docs.asteroid.ai/api-reference/files/stage-a-file-for-an-execution). It returns the id
// and the name that the service gives the file.
func (c *Client) Stage(ctx context.Context, name string, body UploadBody) (id, stagedName string, err error) {
	op := Operation{Name: stageOperation(c.Dialect), subject: name, timeout: -1}
	response, err := c.fetchObject(ctx, op, func(ctx context.Context) (*http.Response, error) {
		return c.sendStage(ctx, body)
	}, anySuccess)
	if err != nil {
		return "", "", err
	}
	staged := response.objects("tempFiles")
	for _, t := range staged {
		// The service may change the name. A single entry is the one file of the request.
		if (t.text("name") == name || len(staged) == 1) && text.PlainID(t.text("id")) {
			return t.text("id"), t.text("name"), nil
		}
	}
	return "", "", c.errorf(op, "the response has %d files, none of them the one that was sent", len(staged))
}

// Attach uploads one file, called name, to an execution that has started
// (https://docs.asteroid.ai/api-reference/files/upload-files-to-execution).
func (c *Client) Attach(ctx context.Context, executionID, name string, body UploadBody) error {
	op := Operation{Name: "ExecutionContextFilesUpload", executionID: executionID, subject: name, timeout: -1}
	_, err := c.send(ctx, op, func(ctx context.Context) (*http.Response, error) {
		return c.api.ExecutionContextFilesUploadWithBody(ctx, executionID, body.FormType(), body, setLength(body))
	}, anySuccess)
	return err
}

// SortFiles sorts by directory, path and id.
func SortFiles(files []File) {
	slices.SortFunc(files, func(x, y File) int {
		return cmp.Or(cmp.Compare(x.Directory, y.Directory), cmp.Compare(x.RelativePath(), y.RelativePath()), cmp.Compare(x.ID, y.ID))
	})
}
