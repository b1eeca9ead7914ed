package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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

// EachFile calls visit for each of an execution's files, in the order of the service
// (https://docs.asteroid.ai/api-reference/files/get-execution-files). It reads the list while it
// arrives and keeps none of it: an agent's workspace may have a hundred thousand files. If it
// fails, it may have visited some.
func (c *Client) EachFile(ctx context.Context, executionID string, visit func(File)) error {
	op := Operation{Name: "ExecutionFilesGet", executionID: executionID, maxResponse: budget.Listing}
	return c.fetchStream(ctx, op, func(ctx context.Context) (*http.Response, error) {
		return c.api.ExecutionFilesGet(ctx, executionID)
	}, func(s *stream) error {
		return s.members("directories", func() error {
			return s.elements('{', func(directory string) error {
				directory = text.Prose(directory, budget.Name)
				return s.elements('[', func(string) error {
					f, err := s.object()
					if err != nil || f == nil {
						return err
					}
					visit(File{
						ID: f.text("id"), Directory: directory, Name: f.text("fileName"), Path: f.text("filePath"), ContentType: f.text("mimeType"),
						Size: f.integer("fileSize"), AgentID: f.text("agentId"), CreatedAt: f.time("createdAt"), UpdatedAt: f.time("updatedAt"),
					})
					return nil
				})
			})
		})
	})
}

// Files returns those of an execution's files that lie in a directory.
func (c *Client) Files(ctx context.Context, executionID, directory string) ([]File, error) {
	var found []File
	err := c.EachFile(ctx, executionID, func(file File) {
		if file.Directory == directory {
			found = append(found, file)
		}
	})
	return found, err
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
	shared := slices.DeleteFunc(slices.Clone(listed), func(file File) bool { return file.Directory != "shared" })
	if len(shared) == 0 {
		return nil, nil
	}
	wanted := map[sharedFile]bool{}
	for _, file := range shared {
		wanted[sharedFile{file.Name, file.Size}] = true
	}
	agentID := shared[0].AgentID
	if agentID == "" {
		e, err := c.Execution(ctx, executionID)
		if err != nil {
			return nil, err
		}
		agentID = e.AgentID
	}
	sums := map[sharedFile][]string{}
	op := Operation{Name: "AgentSharedFilesGet", executionID: executionID, maxResponse: budget.Listing}
	err := c.fetchStream(ctx, op, func(ctx context.Context) (*http.Response, error) {
		return c.api.AgentSharedFilesGet(ctx, agentID)
	}, func(s *stream) error {
		return s.members("files", func() error {
			return s.elements('[', func(string) error {
				stored, err := s.object()
				key := sharedFile{stored.text("fileName"), stored.integer("fileSize")}
				if wanted[key] && stored.text("lastModifiedByExecutionId") == executionID {
					sums[key] = append(sums[key], stored.text("checksum"))
				}
				return err
			})
		})
	})
	if rejected(err) {
		return nil, nil // an older service, or the agent has been deleted
	}
	if err != nil {
		return nil, err
	}
	checksums := map[string]string{}
	for _, file := range shared {
		if same := sums[sharedFile{file.Name, file.Size}]; len(same) == 1 { // several cannot be distinguished
			checksums[file.ID] = same[0]
		}
	}
	return checksums, nil
}

// sharedFile is what a listed file and the agent's shared file have in common.
type sharedFile struct {
	name string
	size int64
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
