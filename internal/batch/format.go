package batch

import (
	"encoding/json"

	"github.com/temporal-asteroid/asteroid"
)

// PlannedRow is a line of a segment's rows.
type PlannedRow struct {
	Number  int    `json:"number"`
	Line    int    `json:"line"` // in the source
	Key     string `json:"key,omitempty"`
	Attempt int    `json:"attempt,omitempty"`
	// Digest is that of the row's input. A row without one does not run.
	Digest string `json:"digest,omitempty"`
	// Carried is set if the row has succeeded before.
	Carried *carried `json:"carried,omitempty"`
	// Problem is why the row is malformed.
	Problem string                     `json:"problem,omitempty"`
	Cells   map[string]json.RawMessage `json:"cells,omitempty"`
}

// carried is the place of a row's result in the ledger.
type carried struct {
	Ordinal int   `json:"ordinal"`
	Bytes   int64 `json:"bytes"`
}

// runs reports whether the row has to run.
func (r *PlannedRow) runs() bool { return r.Problem == "" && r.Carried == nil }

// Outcome is a line of a segment's results: the result of a row, and the agent's whole result if it
// is wanted.
type Outcome struct {
	asteroid.RowResult
	Whole json.RawMessage `json:"result,omitempty"`
}

// plan is plan.json.
type plan struct {
	BatchKey string `json:"batchKey"`
	PlanID   string `json:"planId"`
	// Mark is random: a workflow that is reset after its end plans again under its PlanID.
	Mark    string   `json:"mark"`
	Columns []string `json:"columns"` // of the rows
	// Ledger is the Mark of the ledger in which the results of carried rows are.
	Ledger string        `json:"ledger,omitempty"`
	Fields []string      `json:"fields,omitempty"`
	Whole  bool          `json:"whole,omitempty"`
	Passes []plannedPass `json:"passes"`
}

// rows returns how many rows the source has.
func (p *plan) rows() int {
	first := p.Passes[0].Result
	return first.Rows + first.Succeeded + first.Skipped
}

// plannedPass is a pass of a plan. Files may be one more than the segments of the result: it holds
// rows that do not run.
type plannedPass struct {
	Files  int                      `json:"files"`
	Result asteroid.PlanBatchResult `json:"result"`
}

// pointer is results.csv.batch.json.
type pointer struct {
	BatchKey   string `json:"batchKey"`
	PlanID     string `json:"planId"`
	WorkflowID string `json:"workflowId,omitempty"`
	RunID      string `json:"runId,omitempty"`
}

// ledgerHeader is the first line of the ledger.
type ledgerHeader struct {
	BatchKey string   `json:"batchKey"`
	PlanID   string   `json:"planId"` // of the plan that wrote it
	Mark     string   `json:"mark"`   // of that plan
	Fields   []string `json:"fields,omitempty"`
	Whole    bool     `json:"whole,omitempty"`
}

// ledgerEntry is a further line of the ledger. The last one has only Joined.
type ledgerEntry struct {
	Key     string `json:"key,omitempty"`
	Digest  string `json:"digest,omitempty"`
	Attempt int    `json:"attempt,omitempty"`
	// Outcome is nil if the row did not run, or has not ended.
	Outcome *Outcome `json:"outcome,omitempty"`
	Joined  *joined  `json:"joined,omitempty"`
}

// joined is what JoinBatchParts returned. Results is nil if the plan was never joined.
type joined struct {
	Results *asteroid.OutputFile `json:"results,omitempty"`
	Counts  asteroid.RowCounts   `json:"counts"`
}
