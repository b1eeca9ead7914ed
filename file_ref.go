package asteroid

import (
	"fmt"
	"net/url"
)

// FileRef names a file without holding it. The activity opens it on the worker and streams it, so
// its content enters neither history nor, as a whole, memory.
//
// Schemes:
//
//	file:///srv/claims/1042.csv         on the worker's disk, below one of the worker's FileRoots
//	data:text/csv;base64,YSxiCjEsMgo=   the content itself, up to 1 MiB; it does enter history
//	https://files.example.com/1042.csv  on the public internet, see HTTPSOptions; the whole URI,
//	                                    with its query, enters history
//	asteroid-execution://<execution id>/downloads/report.pdf
//	                                    a file of another execution of the same organization, see
//	                                    ExecutionFileURI
//	asteroid-execution://<execution id>/result
//	                                    the result of another execution, as JSON, see
//	                                    ExecutionResultURI
//	asteroid-manifest:...               many files, see ManifestScheme
//	s3:, gs:, azblob:, ...              in a Store of the worker
//
// Special characters (space, %, #, ?) are percent-encoded in the URI.
type FileRef struct {
	// URI is required.
	URI string `json:"uri"`
	// Name is the name that the agent sees; empty means the one that the source gives (the
	// Content-Disposition of https:, a Store), else the last element of the URI. An https: file
	// without an ending gets that of its content type. The service receives the name in ASCII,
	// without directories, and unique within the call.
	Name string `json:"name,omitempty"`
	// ContentType is a media type such as text/csv. Empty means the one that the source gives
	// (data:, https:, a Store), else the one that the name's extension or the first bytes suggest.
	ContentType string `json:"contentType,omitempty"`
	// Identity says which file this is where the URI does not, at most 500 bytes. Executes with
	// files of other identities are other intents; see activities.Activities.ExecuteAgent. Empty
	// means the URI without the parameters of a signature (X-Amz-*, X-Goog-*, and those of an Azure
	// SAS), so a link that is signed anew is the same file.
	Identity string `json:"identity,omitempty"`
}

const maxFileIdentity = 500

// ExecutionScheme is the URI scheme of references to the files of an execution.
// [ExecutionFileURI] builds them.
const ExecutionScheme = "asteroid-execution"

// ExecutionFileURI returns the reference to a file of an execution, such as
// asteroid-execution://<execution id>/downloads/report.pdf. The directory is one of uploads,
// downloads, workspace, shared and debug. The name may have folders; it is not encoded yet. The
// activity that opens the reference reads the file through its own connection.
func ExecutionFileURI(executionID, directory, name string) string {
	uri := url.URL{Scheme: ExecutionScheme, Host: executionID, Path: "/" + directory + "/" + name}
	return uri.String()
}

// ExecutionResultURI returns the reference to an execution's result: the file result.json, of the
// type application/json, in the compact form that [ExecutionResult] describes. Every file of an
// execution lies in a directory, so the path /result, which names none, is no file of the agent.
// The activity that opens the reference reads the execution through its own connection.
func ExecutionResultURI(executionID string) string {
	return ExecutionScheme + "://" + executionID + "/" + ExecutionResultPath
}

// ExecutionResultPath is the path in an [ExecutionResultURI], and ResultFileName the file's name.
const (
	ExecutionResultPath = "result"
	ResultFileName      = "result.json"
)

// MaxFiles bounds the files of one call of an activity: their names and ids must fit into its
// heartbeats and results. Inputs and selections of more files are an asteroid.InvalidInput.
const MaxFiles = 1000

func checkFiles(files []FileRef) error {
	switch {
	case len(files) == 0:
		return NewInvalidInput("files", "name at least one file")
	case len(files) > MaxFiles:
		return NewInvalidInput("files", fmt.Sprintf(
			"are %d, more than %d: put them into an archive", len(files), MaxFiles))
	}
	for i, file := range files {
		if len(file.Identity) > maxFileIdentity {
			return NewInvalidInput(fmt.Sprintf("files[%d].identity", i), fmt.Sprintf(
				"has %d bytes, more than %d: give a digest", len(file.Identity), maxFileIdentity))
		}
	}
	return checkSize("files", files)
}
