package activities

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

// ExecutionScheme is the scheme of references to the files of an execution; [ExecutionFileURI] makes them.
const ExecutionScheme = "asteroid-execution"

// ExecutionFileURI returns the reference to a file of an execution, such as
// asteroid-execution://<execution id>/downloads/report.pdf. The directory is one of uploads, downloads, workspace, shared and debug.
// The file is looked up on the connection of the activity that opens it.
func ExecutionFileURI(executionID, directory, name string) string {
	return (&url.URL{Scheme: ExecutionScheme, Host: executionID, Path: "/" + directory + "/" + name}).String()
}

// findOutput looks a file of an execution up in its listing, which is asked for once in a call.
func (f *finder) findOutput(ctx context.Context, uri string) (*source, error) {
	parsed, err := parseURI(uri)
	if err != nil {
		return nil, err
	}
	executionID, where := parsed.Host, strings.TrimPrefix(parsed.Path, "/")
	directory, name, _ := strings.Cut(where, "/")
	if !plainID(executionID) || directory == "" || name == "" || parsed.RawQuery != "" {
		return nil, fmt.Errorf("%q must be %s://<execution id>/<directory>/<name>", bare(parsed), ExecutionScheme)
	}
	listed, err := f.listing(ctx, executionID)
	if err != nil {
		return nil, f.forgiveEarlyNotFound(ctx, err)
	}
	file := outputNamed(listed, directory, name)
	if file == nil {
		message := fmt.Sprintf("execution %s has no file %s", executionID, clip(where))
		if f.now().Sub(f.scheduled) < uploadsPatience {
			return nil, unreadable("%s yet", message) // files are listed some time after they were written
		}
		return nil, notThere("%s; it has %s", message, names(listed))
	}
	remote := f.connection.output(executionID, *file)
	return &source{
		name: file.FileName, contentType: typeOf(value(file.MimeType), file.FileName, nil), size: remote.size, open: remote.openChecked,
	}, nil
}

func (f *finder) listing(ctx context.Context, executionID string) ([]api.AgentFile, error) {
	f.mu.Lock()
	listing, ok := f.listings[executionID]
	if !ok {
		listing = sync.OnceValues(func() ([]api.AgentFile, error) { return f.connection.files(ctx, executionID) })
		f.listings[executionID] = listing
	}
	f.mu.Unlock()
	return listing()
}

// files lists an execution's files, directory by directory in alphabetical order.
func (c *connection) files(ctx context.Context, executionID string) ([]api.AgentFile, error) {
	what := call{operation: "ExecutionFilesGet", executionID: executionID}
	listed, err := fetch[api.AgentFilesResponse](ctx, c, what, func(ctx context.Context) (*http.Response, error) {
		return c.api.ExecutionFilesGet(ctx, executionID)
	}, http.StatusOK)
	if err != nil {
		return nil, err
	}
	var files []api.AgentFile
	for _, directory := range sortedKeys(listed.Directories) {
		for _, file := range listed.Directories[directory] {
			file.Directory = directory
			files = append(files, file)
		}
	}
	return files, nil
}

// outputNamed returns the file at this path in a directory, else the one with this name in any of its folders; of several the newest.
func outputNamed(files []api.AgentFile, directory, name string) *api.AgentFile {
	for _, nameOf := range []func(api.AgentFile) string{relativePath, func(file api.AgentFile) string { return file.FileName }} {
		var found *api.AgentFile
		for i, file := range files {
			if file.Directory == directory && nameOf(file) == name && (found == nil || value(file.UpdatedAt).After(value(found.UpdatedAt))) {
				found = &files[i]
			}
		}
		if found != nil {
			return found
		}
	}
	return nil
}

// relativePath is where a file lies in its directory: its name, or that below folders of the agent's.
func relativePath(file api.AgentFile) string {
	if below, ok := strings.CutPrefix(strings.TrimPrefix(file.FilePath, "/"), file.Directory+"/"); ok && below != "" {
		return below
	}
	return file.FileName
}

// names are those of a few files, for an error.
func names(files []api.AgentFile) string {
	const most = 5
	var listed []string
	for _, file := range files {
		listed = append(listed, clip(file.Directory+"/"+relativePath(file)))
	}
	slices.Sort(listed)
	switch {
	case len(listed) == 0:
		return "no files"
	case len(listed) > most:
		return fmt.Sprintf("%s and %d more", strings.Join(listed[:most], ", "), len(listed)-most)
	default:
		return strings.Join(listed, ", ")
	}
}

// output is the content of an execution's file. Each address that the service gives for it lives for a short time only.
func (c *connection) output(executionID string, file api.AgentFile) *remote {
	return &remote{
		client: c.links, renewable: true, size: max(file.FileSize, unknownSize),
		name:   "execution " + executionID + ", " + file.Directory + "/" + clip(file.FileName),
		locate: func(ctx context.Context) (string, error) { return c.link(ctx, executionID, file.ID) },
	}
}

// link asks for a fresh link to a file (https://docs.asteroid.ai/api-reference/files/download-execution-file). It leads to
// another host, which must not see the API key.
func (c *connection) link(ctx context.Context, executionID, fileID string) (string, error) {
	what := call{operation: "ExecutionFileDownloadRedirect", executionID: executionID}
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
		return "", &failure{call: what, connection: c.name, message: "the link to the file cannot be followed: " + err.Error()}
	}
	return address.String(), nil
}

// allowLink refuses links that anybody on the way could read or change, but on this machine.
func (c *connection) allowLink(address *url.URL) error {
	switch {
	case address.Scheme == "https":
	case address.Scheme == "http" && loopback(address.Hostname()) && loopback(c.base.Hostname()):
	default:
		return errors.New("it is no https address")
	}
	return nil
}

// newLinkClient follows signed links, without the key and over the connection's own transport.
func (c *connection) newLinkClient() *http.Client {
	return &http.Client{
		Transport: c.Transport,
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return fmt.Errorf("redirected more than %d times", maxRedirects)
			}
			r.Header.Del("Referer")
			return c.allowLink(r.URL)
		},
	}
}
