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

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/api"
	"github.com/temporal-asteroid/asteroid/internal/httphdr"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// UploadsDirectory is the directory in which an execution finds the files that it was given.
const UploadsDirectory = "uploads"

// ListedFile is a file of an execution, as the service lists it.
type File struct {
	ID string
	// Directory is one of uploads, downloads, workspace, shared and debug.
	Directory string
	Name      string
	// Path is the file's path on the agent's machine; see [ListedFile.RelativePath].
	Path        string
	ContentType string
	Size        int64
	AgentID     string
	// CreatedAt and UpdatedAt are zero when the service does not give them.
	CreatedAt, UpdatedAt time.Time
}

// RelativePath returns the file's path below its directory, which may have folders of the agent's.
func (f File) RelativePath() string {
	if below, ok := strings.CutPrefix(strings.TrimPrefix(f.Path, "/"), f.Directory+"/"); ok && below != "" {
		return below
	}
	return f.Name
}

// Files lists an execution's files, directory by directory in alphabetical order.
func (c *Client) Files(ctx context.Context, executionID string) ([]File, error) {
	what := Operation{Name: "ExecutionFilesGet", executionID: executionID}
	listed, err := fetch[api.AgentFilesResponse](ctx, c, what, func(ctx context.Context) (*http.Response, error) {
		return c.api.ExecutionFilesGet(ctx, executionID)
	}, http.StatusOK)
	if err != nil {
		return nil, err
	}
	var files []File
	for _, directory := range slices.Sorted(maps.Keys(listed.Directories)) {
		for _, f := range listed.Directories[directory] {
			files = append(files, File{
				ID: f.ID, Directory: directory, Name: f.FileName, Path: f.FilePath, ContentType: value(f.MimeType),
				Size: f.FileSize, AgentID: value(f.AgentID), CreatedAt: value(f.CreatedAt), UpdatedAt: value(f.UpdatedAt),
			})
		}
	}
	return files, nil
}

// InDirectory returns the files that lie in a directory.
func InDirectory(files []File, directory string) []File {
	var found []File
	for _, file := range files {
		if file.Directory == directory {
			found = append(found, file)
		}
	}
	return found
}

// AddedFiles returns the names of the files that the newest activities say the agent has added. It
// returns none where the service refuses to show the activities.
func (c *Client) AddedFiles(ctx context.Context, executionID string) ([]string, error) {
	log, err := c.activities(ctx, executionID)
	if Refused(err) {
		return nil, nil // the listing alone has to do
	}
	var names []string
	for _, entry := range log {
		if entry.ActivityType == "file_added" && entry.Source != "upload" && entry.FileName != "" {
			names = append(names, entry.FileName)
		}
	}
	return names, err
}

// SharedChecksums returns the SHA-256 that the service publishes of shared files, in hex, by file id.
// It publishes no checksums of other files. A checksum counts only for the version that this
// execution wrote.
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
	what := Operation{Name: "AgentSharedFilesGet", executionID: executionID}
	kept, err := fetch[api.SharedFilesResponse](ctx, c, what, func(ctx context.Context) (*http.Response, error) {
		return c.api.AgentSharedFilesGet(ctx, agentID)
	}, http.StatusOK)
	if Refused(err) {
		return nil, nil // an older service, or the agent has been deleted
	}
	if err != nil {
		return nil, err
	}
	checksums := map[string]string{}
	for _, file := range shared {
		var same []api.SharedFile
		for _, k := range kept.Files {
			if value(k.LastModifiedByExecutionID) == executionID && k.FileName == file.Name && k.FileSize == file.Size {
				same = append(same, k)
			}
		}
		if len(same) == 1 { // several with one name cannot be told apart
			checksums[file.ID] = value(same[0].Checksum)
		}
	}
	return checksums, nil
}

// Link asks for a fresh link to a file
// (https://docs.asteroid.ai/api-reference/files/download-execution-file). The link leads to another
// host, which must not see the API key: [Client.Links] follows it.
func (c *Client) Link(ctx context.Context, executionID, fileID string) (string, error) {
	what := Operation{Name: "ExecutionFileDownloadRedirect", executionID: executionID}
	answer, err := c.send(ctx, what, func(ctx context.Context) (*http.Response, error) {
		return c.api.ExecutionFileDownloadRedirect(ctx, executionID, fileID)
	}, http.StatusSeeOther, http.StatusFound, http.StatusTemporaryRedirect)
	if err != nil {
		return "", err
	}
	address, err := c.base.Parse(answer.location)
	if err != nil { // its text would repeat the signature
		err = errors.New("it is no address")
	} else {
		err = c.allowLink(address)
	}
	if err != nil {
		return "", &Error{Operation: what, Connection: c.Name, Message: "the link to the file cannot be followed: " + err.Error()}
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

// newLinkClient returns a client that follows signed links over the connection's transport, without
// the key.
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

// UploadBody is a multipart form with one file.
type UploadBody interface {
	Read(p []byte) (int, error)
	// ContentType is that of the form.
	FormType() string
	// Length is the form's size in bytes, negative when it is unknown.
	Length() int64
}

// setLength returns a request editor that announces the body's length.
func setLength(body UploadBody) api.RequestEditorFn {
	return func(_ context.Context, r *http.Request) error {
		r.ContentLength = body.Length()
		return nil
	}
}

// Stage uploads one file, called name, which then waits for an execution. It returns the id and the
// name that the service gives it.
func (c *Client) Stage(ctx context.Context, name string, body UploadBody) (id, stagedName string, err error) {
	operation := "TempFilesStage"
	if c.Dialect == asteroid.DialectWorkflows {
		operation = "TempFilesUpload"
	}
	what := Operation{Name: operation, subject: name, timeout: -1}
	staged, err := fetch[api.TempFilesResponse](ctx, c, what, func(ctx context.Context) (*http.Response, error) {
		if c.Dialect == asteroid.DialectWorkflows {
			params := &api.TempFilesUploadParams{OrganizationID: optional(c.OrganizationID)}
			return c.api.TempFilesUploadWithBody(ctx, params, body.FormType(), body, setLength(body))
		}
		organizationID, err := c.organization(ctx)
		if err != nil {
			return nil, err
		}
		return c.api.TempFilesStageWithBody(ctx, organizationID, body.FormType(), body, setLength(body))
	}, http.StatusOK)
	if err != nil {
		return "", "", err
	}
	for _, t := range staged.TempFiles {
		// The service may change the name. One request holds one file, so a single entry is that file.
		if (t.Name == name || len(staged.TempFiles) == 1) && text.PlainID(t.ID) {
			return t.ID, t.Name, nil
		}
	}
	return "", "", &Error{Operation: what, Connection: c.Name, Message: fmt.Sprintf("the answer names %d files, and not the one that was sent", len(staged.TempFiles))}
}

// Attach uploads one file, called name, to an execution that is at work.
func (c *Client) Attach(ctx context.Context, executionID, name string, body UploadBody) error {
	what := Operation{Name: "ExecutionContextFilesUpload", executionID: executionID, subject: name, timeout: -1}
	_, err := c.send(ctx, what, func(ctx context.Context) (*http.Response, error) {
		return c.api.ExecutionContextFilesUploadWithBody(ctx, executionID, body.FormType(), body, setLength(body))
	}, http.StatusOK)
	return err
}

// SortFiles sorts by directory, path and id.
func SortFiles(files []File) {
	slices.SortFunc(files, func(x, y File) int {
		return cmp.Or(cmp.Compare(x.Directory, y.Directory), cmp.Compare(x.RelativePath(), y.RelativePath()), cmp.Compare(x.ID, y.ID))
	})
}
