package asteroid

// OutputFile is a reference to a file of an execution (from ListFiles), or to its copy (from
// SaveFiles). [References] turns output files into the Files of the next agent.
type OutputFile struct {
	FileRef
	// Directory is the execution's directory that the file is in, such as downloads. It is empty
	// for the execution's result.
	Directory string `json:"directory"`
	// Size is in bytes.
	Size int64 `json:"size"`
	// SHA256 is the checksum of a saved file in lower-case hex. It is empty in the result of
	// ListFiles, which does not read the files, except for the execution's result.
	SHA256 string `json:"sha256,omitempty"`
	// Count is set on a manifest only: the number of files that it stands for. Size is then that of
	// these files, and SHA256 that of their list. See [ManifestScheme].
	Count int `json:"count,omitempty"`
}

// References returns the references of output files, in the same order.
func References(files []OutputFile) []FileRef {
	refs := make([]FileRef, len(files))
	for i, file := range files {
		refs[i] = file.FileRef
	}
	return refs
}
