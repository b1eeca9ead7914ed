package asteroid

import (
	"net/url"
)

// ExecutionScheme is the scheme of references to the files of an execution; [ExecutionFileURI] makes them.
const ExecutionScheme = "asteroid-execution"

// ExecutionFileURI returns the reference to a file of an execution, such as
// asteroid-execution://<execution id>/downloads/report.pdf. The directory is one of uploads, downloads, workspace, shared and debug.
// The file is looked up on the connection of the activity that opens it.
func ExecutionFileURI(executionID, directory, name string) string {
	return (&url.URL{Scheme: ExecutionScheme, Host: executionID, Path: "/" + directory + "/" + name}).String()
}

// FileRef names a file without holding it. The activity opens it on the worker and streams it, so that the content
// enters neither history nor, as a whole, memory.
//
// Schemes:
//
//	file:///srv/claims/1042.csv              on the worker's disk, beneath one of Options.FileRoots
//	data:text/csv;base64,YSxiCjEsMgo=        the content itself, for a few kilobytes: it does stand in history
//	https://files.example.com/1042.csv       on the public internet, see HTTPSOptions; a query stands in history
//	asteroid-execution://<execution id>/downloads/report.pdf
//	                                         a file of another run of the same organization, in one of the directories
//	                                         uploads, downloads, workspace, shared and debug
//	s3:, gs:, azblob:, ...                   what Options.Stores adds
//
// What is special in a URI (space, %, #, ?) is percent-encoded in it.
type FileRef struct {
	URI string `json:"uri"`
	// Name is what the agent sees; empty means the URI's own last element. The service gets it in ASCII and unique
	// within the call.
	Name string `json:"name,omitempty"`
	// ContentType is a media type such as text/csv; empty means what the scheme knows (of data:, https: and the like),
	// else what the name's ending or the first bytes suggest.
	ContentType string `json:"contentType,omitempty"`
}
