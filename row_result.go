package asteroid

import (
	"encoding/json"
	"time"
)

// RowStatus is what became of a row.
type RowStatus string

// The statuses of a row.
const (
	RowSucceeded RowStatus = "succeeded" // its agent completed
	RowFailed    RowStatus = "failed"    // its agent failed, or could not be started
	RowCancelled RowStatus = "cancelled" // the batch was cancelled while its agent worked
	RowNotRun    RowStatus = "notRun"    // the batch stopped before it
	RowSkipped   RowStatus = "skipped"   // it is malformed
)

// RowResult is the result of one row. It has at most 2 KiB.
type RowResult struct {
	// Number is the row's, counted from 1 without the header. Key identifies the row.
	Number int    `json:"number"`
	Key    string `json:"key"`
	// Attempt counts the runs of the row under the batch key, from 1.
	Attempt     int       `json:"attempt,omitempty"`
	Status      RowStatus `json:"status"`
	ExecutionID string    `json:"executionId,omitempty"`
	// ExecutionStatus and Outcome are those of [Execution].
	ExecutionStatus Status `json:"executionStatus,omitempty"`
	Outcome         string `json:"outcome,omitempty"`
	// ErrorType is one of this package's where the error has one. Error has at most 512 bytes.
	ErrorType string `json:"errorType,omitempty"`
	Error     string `json:"error,omitempty"`
	// URL is the execution's page in Asteroid's console.
	URL string `json:"url,omitempty"`
	// StartedAt and EndedAt are the workflow's times, with any wait for capacity and permits.
	StartedAt time.Time `json:"startedAt,omitzero"`
	EndedAt   time.Time `json:"endedAt,omitzero"`
	// Fields are the values of BatchResults.Fields, at most 1 KiB together. FieldsOmitted says that
	// they are more: WriteBatchPart reads them from the service.
	Fields        map[string]json.RawMessage `json:"fields,omitempty"`
	FieldsOmitted bool                       `json:"fieldsOmitted,omitempty"`
	// Request is a digest of what the row requested.
	Request string `json:"request,omitempty"`
}

// AgentEnded reports whether no agent of this attempt can be at work: its execution has ended, or
// the input was refused before there was one. An attempt that ended otherwise is unfinished. The
// row runs again with the same attempt, which adopts the agent, so no second one works on the row.
func (r *RowResult) AgentEnded() bool {
	switch {
	case r.ExecutionStatus.Terminal():
		return true
	case r.ErrorType == ErrorTypeUnknownStatus: // it has ended, and nobody can adopt it
		return true
	default:
		return r.ExecutionID == "" && r.ErrorType == ErrorTypeInvalidInput
	}
}

// RowCounts are numbers of rows by their status.
type RowCounts struct {
	Succeeded int `json:"succeeded"`
	Failed    int `json:"failed"`
	Cancelled int `json:"cancelled,omitempty"`
	NotRun    int `json:"notRun,omitempty"`
	Skipped   int `json:"skipped,omitempty"`
}
