package workflows

import (
	"time"

	"github.com/temporal-asteroid/asteroid"
)

// BatchInput says which rows to run, one agent each, and where the results go. It is the input of
// the workflow asteroid.Batch, whose result is a [BatchResult]. Rows, Template.AgentID and
// Results.Destination are required. Start it by its name, or as a child with [ExecuteBatch].
//
// Each row is a workflow asteroid.RunAgent of its own, at most MaxConcurrent of them at once. A
// slow row does not hold others back. A row's failure is a result, so the batch itself fails only
// if it cannot read the rows or write the results. Rows whose Limits other rows of their segment
// exhaust let those behind them pass. A segment goes by the Max of its rows, not by what an
// operator has set: of rows whose Max is 1, it runs one at a time.
//
// # History
//
// No run of the workflow has more than 5,000 events, whatever the number of rows. The rows belong
// to segments of at most 300, each a workflow asteroid.BatchSegment. The batch gives them slots to
// run rows in, and continues as new while they go on.
//
// # Ending a batch early
//
// Cancel the batch, do not terminate it. [CancelBatchUpdate] cancels the agents too, and the batch
// returns its result, which says why it was Stopped. A cancelled workflow does the same, and then
// ends with a CanceledError whose details are the BatchResult. In both cases the results file is
// written, with a row for those that have not run. After a termination the open segments run their
// rows to the end, and nobody writes the whole file.
//
// # Running it again
//
// A row is one intent, whose key is made of BatchKey, the row's key and its attempt. A reset of the
// batch or of a segment follows the rows that are at work and adopts what their agents have done.
// Another batch with the same BatchKey, Destination and rows runs only those that have not
// succeeded: that is how to go on after a termination, or to run failed rows again the next day.
// Without a BatchKey that needs the same workflow id. A row whose workflow has ended while its
// agent may be at work keeps its attempt, and so adopts the agent. Two batches with one key and two
// destinations share the runs of their rows: each attempt runs once, and both have its result.
type BatchInput struct {
	Rows asteroid.BatchRows `json:"rows"`
	// Template is the input of every row's asteroid.RunAgent. {{column}} in any of its strings
	// stands for the row's value: in Inputs, at any depth, in Files, AgentProfileID, Metadata,
	// Limits. One of Inputs that is nothing but {{column}} becomes the value itself, which has a
	// type in JSON lines. It must not have an IdempotencyKey: BatchKey and the row's key make one.
	// With CheckInputs every row is checked before the first agent starts.
	Template RunAgentInput `json:"template"`
	// InputColumns are columns that become inputs of their own names. "*" is every column.
	InputColumns []string              `json:"inputColumns,omitempty"`
	Results      asteroid.BatchResults `json:"results"`
	// MaxConcurrent is how many rows are under way at once, 20 when 0 and at most 1,000.
	MaxConcurrent int `json:"maxConcurrent,omitempty"`
	// BatchKey identifies the batch across the workflows of a namespace, such as claims-2026-11.
	// The workflow's id when empty. It has at most 400 bytes. A batch that runs again under its key
	// runs only the rows that have not succeeded. In another namespace the same key is another
	// batch.
	BatchKey string          `json:"batchKey,omitempty"`
	Failures FailuresOfBatch `json:"failures,omitzero"`
	// Internal is what a run of the workflow hands to the next. Leave it empty.
	Internal BatchInternal `json:"internal,omitzero"`
}

// FailuresOfBatch says what happens when rows fail. The zero value goes on to the end.
type FailuresOfBatch struct {
	// StopAfter starts no more rows once this many have failed; 0 never stops.
	StopAfter int `json:"stopAfter,omitempty"`
	// StopShare starts no more rows once this share of the rows that have ended has failed, between
	// 0 and 1, looked at from the 20th on; 0 never stops.
	StopShare float64 `json:"stopShare,omitempty"`
	// Reruns is how often the failed rows run again at the end, at most 10.
	Reruns int `json:"reruns,omitempty"`
	// Outcomes are outcomes of completed agents that count as failures of their rows.
	Outcomes []string `json:"outcomes,omitempty"`
}

// BatchResult is the result of a batch.
type BatchResult struct {
	Counts asteroid.RowCounts `json:"counts"`
	// AlreadySucceeded of Counts.Succeeded were not run: they had succeeded in an earlier batch.
	AlreadySucceeded int                 `json:"alreadySucceeded,omitempty"`
	Results          asteroid.OutputFile `json:"results"`
	StartedAt        time.Time           `json:"startedAt"`
	EndedAt          time.Time           `json:"endedAt"`
	// Stopped is why rows were not run; empty when all were.
	Stopped  string   `json:"stopped,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

// The query and the updates of a batch. Each update returns the [BatchState] after it, and is
// refused with asteroid.InvalidInput once it can have no effect. [StateQuery] answers with a
// BatchState, too. PauseBatchUpdate, ResumeBatchUpdate, CancelBatchUpdate and RerunFailedUpdate
// take nothing; SetConcurrencyUpdate takes a [SetConcurrencyInput].
const (
	PauseBatchUpdate     = "asteroid.pauseBatch"  // starts no new rows
	ResumeBatchUpdate    = "asteroid.resumeBatch" // goes on
	CancelBatchUpdate    = "asteroid.cancelBatch" // cancels the agents too; results are written
	SetConcurrencyUpdate = "asteroid.setConcurrency"
	RerunFailedUpdate    = "asteroid.rerunFailed" // runs the failed rows again at the end
)

// SetConcurrencyInput is the input of SetConcurrencyUpdate.
type SetConcurrencyInput struct {
	MaxConcurrent int `json:"maxConcurrent"`
}

// BatchState is how far a batch has come.
type BatchState struct {
	// Phase is planning, running, paused, stopping, cancelling, joining, done or failed.
	Phase         string    `json:"phase"`
	Since         time.Time `json:"since"`
	StartedAt     time.Time `json:"startedAt"`
	Rows          int       `json:"rows"` // those that run; one that runs again counts once
	Succeeded     int       `json:"succeeded"`
	Failed        int       `json:"failed"`
	Cancelled     int       `json:"cancelled,omitempty"`
	AtWork        int       `json:"atWork"`
	NeedHuman     int       `json:"needHuman"`
	WaitForPermit int       `json:"waitForPermit,omitempty"`
	MaxConcurrent int       `json:"maxConcurrent"`
	Pass          int       `json:"pass"`
	// RowsPerMinute is the rate of the last minutes; EstimatedEnd follows from it.
	RowsPerMinute float64   `json:"rowsPerMinute,omitempty"`
	EstimatedEnd  time.Time `json:"estimatedEnd,omitzero"`
	// AlreadySucceeded and Skipped are rows that do not run.
	AlreadySucceeded int `json:"alreadySucceeded,omitempty"`
	Skipped          int `json:"skipped,omitempty"`
	// Stopped is why rows do not run. Error is why the batch failed.
	Stopped string       `json:"stopped,omitempty"`
	Error   string       `json:"error,omitempty"`
	Result  *BatchResult `json:"result,omitempty"`
}

// BatchInternal is what a run of the workflow hands to the next. Other callers leave it empty.
type BatchInternal struct {
	// PlanID is the original run id of the first run of the chain.
	PlanID   string         `json:"planId,omitempty"`
	Progress *batchProgress `json:"progress,omitempty"`
}
