package asteroid

import (
	"fmt"
	"strings"
)

// BatchResults says where the results of a batch go, and what they hold. Each row of the batch has
// one line, in the order of the rows, with these columns:
//
//	the columns of the row
//	rowNumber        from 1, without the header
//	rowKey
//	attempt          how often the row has run under the batch key; empty if it has not
//	status           a RowStatus
//	executionId
//	executionStatus
//	outcome          what the agent says of its run
//	the Fields of the agent's result
//	result           the whole result, with WholeResult
//	errorType
//	error            why the row failed or was skipped
//	link             the execution's page in Asteroid's console
//	startedAt        in RFC 3339, UTC
//	endedAt
//	seconds          from startedAt to endedAt
//
// A column of the rows that has the name of one of the batch's own is called row.status there, and
// such a field result.status. CSV is UTF-8 with commas, and an empty cell is a value that is not
// there; JSON lines leave it out.
//
// Values are written as they are, so that programs read back what was there. A spreadsheet may take
// a cell that begins with = + - or @ for a formula: what an agent found on a website is not to be
// trusted, so import such a file as text instead of opening it.
type BatchResults struct {
	// Destination is the URI of the file, below one of the worker's OutputRoots or in one of its
	// Stores, such as file:///srv/claims/results.csv. It is required. A file that no batch has
	// written must not be there. Parts and the ledger of the batch lie next to it, in files whose
	// names begin with that of the results: a batch that runs again under the same BatchKey needs
	// the ledger.
	Destination string `json:"destination"`
	// Format is told by the ending of Destination when empty, and is RowsCSV if that tells none.
	Format RowFormat `json:"format,omitempty"`
	// Columns are the columns of the rows that the results repeat, in this order. Empty means all.
	Columns []string `json:"columns,omitempty"`
	// Fields are members of the agent's result, as paths such as claim.number or items.0.price.
	// Each becomes a column of its name. A value that is no string is written as JSON.
	Fields []string `json:"fields,omitempty"`
	// WholeResult adds the agent's whole result as the column result. It is read from the service
	// when a part is written, and does not enter history.
	WholeResult bool `json:"wholeResult,omitempty"`
}

// Validate checks the form of the results' description. Its error is asteroid.InvalidInput and
// names the field. Only the activity checks Destination, since each worker accepts others.
func (r *BatchResults) Validate() error {
	switch {
	case r.Destination == "":
		return NewInvalidInput("results.destination", "is required: name the file for the results, such as file:///srv/claims/results.csv")
	case strings.HasSuffix(r.Destination, "/"):
		return NewInvalidInput("results.destination", "must name a file, not a folder")
	}
	for i, field := range r.Fields {
		if field == "" {
			return NewInvalidInput(fmt.Sprintf("results.fields[%d]", i), "is empty")
		}
	}
	return checkOneOf("results.format", r.Format, RowsCSV, RowsJSONLines)
}
