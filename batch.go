package asteroid

import (
	"cmp"
	"encoding/json"
	"time"
)

// BatchRows says where the rows of a batch are and how to read them. Give Source or Inline.
type BatchRows struct {
	// Source is a file with one row per line or record: CSV with a header, or JSON lines, one
	// object each. Any source of StageFiles will do. It is read once, when the batch begins.
	Source *FileRef `json:"source,omitempty"`
	// Inline are the rows themselves, as JSON objects of at most 256 KiB together. They enter
	// history. Errors count them as lines.
	Inline []json.RawMessage `json:"inline,omitempty"`
	// Format is told by the name or the content type of Source when empty.
	Format RowFormat `json:"format,omitempty"`
	// Delimiter is the character between two cells of CSV. Empty means the one of , ; | and tab
	// that the header has most often.
	Delimiter string `json:"delimiter,omitempty"`
	// Encoding is utf-8, utf-16, latin1 or windows-1252. Empty means what a byte order mark says,
	// else utf-8. A byte that is no UTF-8 is an error that names line and column. latin1 is read as
	// windows-1252, which only adds characters to it.
	Encoding string `json:"encoding,omitempty"`
	// KeyColumn names the column whose value identifies a row, in this batch and when it is run
	// again. The values are unique texts or numbers of at most 200 bytes; white space around them
	// does not count. Empty means the row's number, counted from 1.
	KeyColumn string `json:"keyColumn,omitempty"`
	// OnMalformed is RowsRefuse when empty.
	OnMalformed OnRows `json:"onMalformed,omitempty"`
	// OnChanged says what happens to a row that has succeeded before, under the same batch key and
	// row key, with other content. It is RowsRefuse when empty.
	OnChanged OnRows `json:"onChanged,omitempty"`
}

// RowFormat is the format of a file of rows.
type RowFormat string

// The formats of rows and results.
const (
	RowsCSV       RowFormat = "csv"
	RowsJSONLines RowFormat = "jsonl"
)

// OnRows says what to do with rows of a kind.
type OnRows string

const (
	// RowsRefuse refuses the batch before its first agent starts. The error names the first 20 rows
	// by line and column.
	RowsRefuse OnRows = "refuse"
	// RowsSkip leaves the malformed rows out. The results have them, with the status skipped.
	RowsSkip OnRows = "skip"
	// RowsRerun runs the changed rows again.
	RowsRerun OnRows = "rerun"
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
	// Stores, such as file:///srv/claims/results.csv. It is required. Parts and the ledger of the
	// batch lie next to it, in files whose names begin with that of the results: a batch that runs
	// again under the same BatchKey needs the ledger.
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

// BatchPlan identifies the plan of one run of a batch: where its files lie, and for which run.
type BatchPlan struct {
	// Connection is DefaultConnection when empty.
	Connection string `json:"connection,omitempty"`
	// BatchKey identifies the batch across its runs. PlanID is unique to one run and survives its
	// reset and its continuation as new.
	BatchKey string       `json:"batchKey"`
	PlanID   string       `json:"planId"`
	Results  BatchResults `json:"results"`
}

// PlanBatchInput is the input of asteroid.PlanBatch.
type PlanBatchInput struct {
	BatchPlan
	// Rows is required in pass 1. A later pass runs the rows that failed in the passes before it.
	Rows BatchRows `json:"rows,omitzero"`
	Pass int       `json:"pass"`
	// Template is the input of asteroid.RunAgent. {{column}} in any of its strings stands for the
	// row's value. A string that is nothing but {{column}} becomes the value itself, which has a
	// type in JSON lines. {{{{ stands for {{.
	Template json.RawMessage `json:"template"`
	// InputColumns are columns that become inputs of their own names. "*" is every column. An input
	// that Template has under the same name stays.
	InputColumns []string `json:"inputColumns,omitempty"`

	decoded *decodedInput
}

// Validate checks the form of the input. Its error is asteroid.InvalidInput and names the field.
func (in *PlanBatchInput) Validate() error {
	return cmp.Or(in.decoded.check(), in.BatchPlan.validate(), checkPass("pass", in.Pass), checkTemplate(in.Template),
		in.Rows.validate(in.Pass == 1))
}

// PlanBatchResult is the result of asteroid.PlanBatch.
type PlanBatchResult struct {
	// Rows are to run in this pass, in Segments segments. Segments are numbered from 1.
	Rows     int `json:"rows"`
	Segments int `json:"segments"`
	// Succeeded are rows that need no run: they have succeeded under the batch key before. Skipped
	// are malformed.
	Succeeded int `json:"succeeded,omitempty"`
	Skipped   int `json:"skipped,omitempty"`
	// Version is the agent's version that every row was checked against, if the template has
	// CheckInputs. The rows run this version.
	Version *int `json:"version,omitempty"`
	// SearchAttributes are those of the worker's options that the batch may set: the namespace has
	// them. nil: none are named.
	SearchAttributes *SearchAttributes `json:"searchAttributes,omitempty"`
	// Warnings are at most 20 texts.
	Warnings []string `json:"warnings,omitempty"`
}

// ReadBatchRowsInput is the input of asteroid.ReadBatchRows.
type ReadBatchRowsInput struct {
	BatchPlan
	Pass     int             `json:"pass"`
	Segment  int             `json:"segment"`
	Template json.RawMessage `json:"template"`
	// InputColumns are those of [PlanBatchInput].
	InputColumns []string `json:"inputColumns,omitempty"`

	decoded *decodedInput
}

// Validate checks the form of the input. Its error is asteroid.InvalidInput and names the field.
func (in *ReadBatchRowsInput) Validate() error {
	return cmp.Or(in.decoded.check(), in.BatchPlan.validate(), checkPass("pass", in.Pass), checkPass("segment", in.Segment),
		checkTemplate(in.Template))
}

// ReadBatchRowsResult is the result of asteroid.ReadBatchRows: at most 300 rows of 256 KiB
// together, but at least one.
type ReadBatchRowsResult struct {
	Rows []BatchRow `json:"rows"`
}

// BatchRow is a row to run. Input is the template with the row's values, an input of
// asteroid.RunAgent.
type BatchRow struct {
	Number  int             `json:"number"`
	Key     string          `json:"key"`
	Attempt int             `json:"attempt"`
	Input   json.RawMessage `json:"input"`
	// Limits are those of Input and of the worker, as [RunLimits.Of] returns them, without the
	// fairness keys.
	Limits []Limit `json:"limits,omitempty"`
}

// WriteBatchPartInput is the input of asteroid.WriteBatchPart. Rows are results of one segment;
// they are added to those that were written before, or replace them.
type WriteBatchPartInput struct {
	BatchPlan
	Pass    int         `json:"pass"`
	Segment int         `json:"segment"`
	Rows    []RowResult `json:"rows"`

	decoded *decodedInput
}

// Validate checks the form of the input. Its error is asteroid.InvalidInput and names the field.
func (in *WriteBatchPartInput) Validate() error {
	return cmp.Or(in.decoded.check(), in.BatchPlan.validate(), checkPass("pass", in.Pass), checkPass("segment", in.Segment))
}

// WriteBatchPartResult is the result of asteroid.WriteBatchPart. It is empty.
type WriteBatchPartResult struct{}

// JoinBatchPartsInput is the input of asteroid.JoinBatchParts, which writes the whole results, in
// the order of the rows, and the ledger, and removes the parts.
type JoinBatchPartsInput struct {
	BatchPlan
	Passes int `json:"passes"`

	decoded *decodedInput
}

// Validate checks the form of the input. Its error is asteroid.InvalidInput and names the field.
func (in *JoinBatchPartsInput) Validate() error {
	return cmp.Or(in.decoded.check(), in.BatchPlan.validate(), checkPass("passes", in.Passes))
}

// JoinBatchPartsResult is the result of asteroid.JoinBatchParts.
type JoinBatchPartsResult struct {
	Results OutputFile `json:"results"`
	Counts  RowCounts  `json:"counts"`
}

// RowCounts are numbers of rows by their status.
type RowCounts struct {
	Succeeded int `json:"succeeded"`
	Failed    int `json:"failed"`
	Cancelled int `json:"cancelled,omitempty"`
	NotRun    int `json:"notRun,omitempty"`
	Skipped   int `json:"skipped,omitempty"`
}

// FollowWorkflowInput is the input of asteroid.FollowWorkflow, which waits for another workflow as
// AwaitExecution waits for an execution: it fails with asteroid.StillRunning until the workflow
// has closed.
type FollowWorkflowInput struct {
	WorkflowID string `json:"workflowId"`
	// RunID is a run of the chain to follow; empty means the latest.
	RunID string `json:"runId,omitempty"`
	// Once does not wait: the result of a workflow that has not closed is Open.
	Once bool `json:"once,omitempty"`

	decoded *decodedInput
}

// Validate checks the form of the input. Its error is asteroid.InvalidInput and names the field.
func (in *FollowWorkflowInput) Validate() error {
	if err := in.decoded.check(); err != nil || in.WorkflowID != "" {
		return err
	}
	return NewInvalidInput("workflowId", "is required")
}

// FollowWorkflowResult is how a workflow closed. A workflow that is not found is Missing.
type FollowWorkflowResult struct {
	Missing bool   `json:"missing,omitempty"`
	RunID   string `json:"runId,omitempty"`
	// Open is set by Once only. ParentID is the workflow that started this one as its child.
	Open     bool   `json:"open,omitempty"`
	ParentID string `json:"parentId,omitempty"`
	// Status is completed, failed, canceled, terminated or timedOut.
	Status string `json:"status,omitempty"`
	// Result is that of a completed workflow, at most 64 KiB. Error and ErrorType are those of one
	// that failed.
	Result    json.RawMessage `json:"result,omitempty"`
	ErrorType string          `json:"errorType,omitempty"`
	Error     string          `json:"error,omitempty"`
}
