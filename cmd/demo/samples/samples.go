// Package samples holds the files that the demo gives to an agent: a table of insurance claims and
// the form behind one of them. ORIGIN.md says where they come from.
package samples

import (
	"embed"
	"io/fs"
)

// The names of the sample files in Files.
const (
	Claims    = "claims.csv"
	ClaimForm = "claim-form.pdf"
)

//go:embed claims.csv claim-form.pdf
var files embed.FS

// Files returns the sample files: Claims and ClaimForm, and nothing else.
func Files() fs.FS { return files }
