package activities

import "net/url"

// ExecutionScheme is the scheme of references to the files of an execution; [ExecutionFileURI] makes them.
const ExecutionScheme = "asteroid-execution"

// ExecutionFileURI returns the reference to a file of an execution, such as
// asteroid-execution://<execution id>/downloads/report.pdf. The directory is one of uploads, downloads, workspace, shared and debug.
// The file is looked up on the connection of the activity that opens it.
func ExecutionFileURI(executionID, directory, name string) string {
	return (&url.URL{Scheme: ExecutionScheme, Host: executionID, Path: "/" + directory + "/" + name}).String()
}
