// Package samples holds the files that the demo gives to an agent: a table of insurance claims and
// the claim form of one of them. ORIGIN.md describes how they were made.
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
