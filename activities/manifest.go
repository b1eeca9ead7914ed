package activities

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/bound"
	"github.com/temporal-asteroid/asteroid/internal/budget"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/files"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

const (
	manifestName = "manifest.json"
	// executionListPath is the path of the list of an execution's files. Like that of the result,
	// it names no directory, so it is no file of the agent.
	executionListPath = "/files"
)

// fits reports whether a list of files can enter a workflow's history.
func fits(outputs []asteroid.OutputFile) bool {
	return len(outputs) <= asteroid.MaxFiles && bound.Size(outputs) <= budget.FileList
}

// newManifest returns the manifest of a list of files, and the list's content.
func newManifest(listURI string, outputs []asteroid.OutputFile) (manifest asteroid.OutputFile, list []byte, err error) {
	if list, err = json.Marshal(outputs); err != nil {
		return asteroid.OutputFile{}, nil, err
	}
	sum := sha256.Sum256(list)
	manifest = asteroid.OutputFile{
		FileRef: asteroid.FileRef{Name: manifestName, ContentType: resultContentType},
		SHA256:  hex.EncodeToString(sum[:]), Count: len(outputs),
	}
	manifest.URI = asteroid.ManifestURI(listURI, manifest.SHA256)
	for _, output := range outputs {
		manifest.Size = files.AddSizes(manifest.Size, output.Size)
	}
	return manifest, list, nil
}

// executionListURI returns the URI of the list of the selected files.
func executionListURI(executionID string, selection asteroid.FileSelection) string {
	query := url.Values{"directory": selection.Directories, "name": selection.Names}
	if selection.Result {
		query.Set("result", "true")
	}
	list := url.URL{Scheme: asteroid.ExecutionScheme, Host: executionID, Path: executionListPath, RawQuery: query.Encode()}
	return list.String()
}

// checkManifest refuses files to save whose list or progress would be too large. Checksums do not
// compress, and are not known yet.
func checkManifest(listed []client.File, expected []asteroid.OutputFile) error {
	done := make(asteroid.FinishedFiles[asteroid.OutputFile], len(listed))
	for i, file := range listed {
		done[file.ID] = expected[i]
	}
	if progress := bound.Size(done) + len(listed)*sha256.Size*4/3; progress > budget.Heartbeat {
		return asteroid.NewInvalidInput("names", fmt.Sprintf(
			"select %d files whose progress needs %d bytes, more than %d: select fewer at a time", len(listed), progress, budget.Heartbeat))
	}
	return bound.Manifest(len(expected), bound.Size(expected))
}

// saveManifest writes the list of saved files beside them, and returns its manifest.
func (a *Activities) saveManifest(ctx context.Context, store asteroid.Store, base *url.URL, in asteroid.SaveFilesInput,
	saved []asteroid.OutputFile) (asteroid.OutputFile, error) {
	target := base.JoinPath(in.ExecutionID, manifestName)
	manifest, list, err := newManifest(target.String(), saved)
	if err != nil {
		return asteroid.OutputFile{}, err
	}
	ctx, stop := files.WithStallTimeout(ctx)
	defer stop()
	info := asteroid.FileInfo{Name: manifestName, ContentType: resultContentType, Size: int64(len(list))}
	if err := store.Write(ctx, target, bytes.NewReader(list), info); err != nil {
		name := files.RedactURL(target)
		return asteroid.OutputFile{}, transferError(ctx, name, asteroid.ErrorDetails{ExecutionID: in.ExecutionID}, files.StoreError(name, err))
	}
	return manifest, nil
}

// expandManifests returns the references with those of its files in place of each manifest.
func (a *Activities) expandManifests(ctx context.Context, c *client.Client, refs []asteroid.FileRef) ([]asteroid.FileRef, error) {
	var expanded []asteroid.FileRef
	for i, ref := range refs {
		opaque, ok := strings.CutPrefix(ref.URI, asteroid.ManifestScheme+":")
		if !ok {
			expanded = append(expanded, ref)
			continue
		}
		field := fmt.Sprintf("files[%d]", i)
		found, err := a.readManifest(ctx, c, field, opaque)
		if err != nil {
			return nil, referenceError(ctx, field+".uri", err)
		}
		expanded = append(expanded, found...)
	}
	if len(expanded) > asteroid.MaxFiles {
		return nil, asteroid.NewInvalidInput("files", fmt.Sprintf(
			"are %d, more than %d: pass parts of the manifest, such as ...&first=0&count=%[2]d", len(expanded), asteroid.MaxFiles))
	}
	return expanded, nil
}

// readManifest returns the references in a manifest, given its URI without the scheme.
func (a *Activities) readManifest(ctx context.Context, c *client.Client, field, opaque string) ([]asteroid.FileRef, error) {
	encoded, rawQuery, _ := strings.Cut(opaque, "?")
	query, queryErr := url.ParseQuery(rawQuery)
	listURI, err := url.QueryUnescape(encoded)
	if err != nil || queryErr != nil {
		return nil, errNoManifest
	}
	list, err := a.readList(ctx, c, field, listURI)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(list); hex.EncodeToString(sum[:]) != query.Get("sha256") {
		changed := "the list " + files.RedactURI(listURI) + " is not the one of the manifest"
		if waited(ctx, listingInterval) < listingPatience { // the service lists files some time after they were written
			return nil, files.UnavailableFor(listingInterval, "%s", changed)
		}
		return nil, files.Invalid("%s: its files have changed since, so list or save them again", changed)
	}
	var outputs []asteroid.OutputFile
	if err := json.Unmarshal(list, &outputs); err != nil {
		return nil, files.Invalid("%s is not a list of files: %w", files.RedactURI(listURI), err)
	}
	return asteroid.References(part(outputs, query)), nil
}

var errNoManifest = errors.New("this is no manifest that ListFiles or SaveFiles has returned")

// part returns the files that the parameters first and count select.
func part(outputs []asteroid.OutputFile, query url.Values) []asteroid.OutputFile {
	number := func(name string, missing int) int {
		n, err := strconv.Atoi(query.Get(name))
		if err != nil || n < 0 {
			return missing
		}
		return n
	}
	outputs = outputs[min(number("first", 0), len(outputs)):]
	return outputs[:min(number("count", len(outputs)), len(outputs))]
}

// readList returns the content of a manifest's list.
func (a *Activities) readList(ctx context.Context, c *client.Client, field, listURI string) ([]byte, error) {
	if parsed, err := files.ParseURI(listURI); err == nil && parsed.Scheme == asteroid.ExecutionScheme && parsed.Path == executionListPath {
		return a.executionList(ctx, c, parsed)
	}
	if scheme, _, _ := strings.Cut(strings.ToLower(listURI), ":"); scheme == asteroid.ExecutionScheme || scheme == "data" {
		return nil, errNoManifest
	}
	f := &finder{Activities: a, connection: c}
	source, err := f.find(ctx, field, asteroid.FileRef{URI: listURI})
	if err != nil {
		return nil, err
	}
	content, err := source.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = content.Close() }()
	list, err := io.ReadAll(io.LimitReader(content, budget.Manifest+1))
	if err != nil {
		return nil, files.StoreError(files.RedactURI(listURI), err)
	}
	if len(list) > budget.Manifest {
		return nil, files.Invalid("%s has more than %d bytes", files.RedactURI(listURI), budget.Manifest)
	}
	return list, nil
}

// executionList returns the list of an execution's files as it is now.
func (a *Activities) executionList(ctx context.Context, c *client.Client, listURI *url.URL) ([]byte, error) {
	executionID, query := listURI.Host, listURI.Query()
	selection := asteroid.FileSelection{Directories: query["directory"], Names: query["name"], Manifest: true}
	if err := selection.Validate(); err != nil || !text.PlainID(executionID) {
		return nil, errNoManifest
	}
	listed, _, err := selectFiles(ctx, c, executionID, selection, nil)
	if err != nil {
		return nil, a.forgiveEarlyNotFound(ctx, err)
	}
	var result *resultFile
	if query.Has("result") {
		if result, _, err = findResult(ctx, c, executionID); err != nil {
			return nil, a.forgiveEarlyNotFound(ctx, err)
		}
		if result != nil {
			listed = slices.Insert(listed, 0, result.file())
		}
	}
	return json.Marshal(outputsOf(executionID, listed, result))
}
