// Package batch keeps the files of a batch in the store of its results: the parts, from which the
// results are joined, and the ledger, by which the batch runs again. It knows neither Temporal nor
// the API: package activities connects them.
//
// # Files
//
// The names begin with that of the results, here results.csv:
//
//	results.csv.parts/<plan id>/p1-0001.rows.jsonl     the rows of a segment of pass 1
//	results.csv.parts/<plan id>/p1-0001.results.jsonl  their results up to now
//	results.csv.parts/<plan id>/plan.json              the passes that are planned
//	results.csv.batch.json                             which batch and which plan are the latest
//	results.csv.ledger.jsonl                           what became of each row under the batch key
//
// The rows of pass 1 are all rows of the source, in order: also those that do not run, because they
// are malformed or have succeeded before. A later pass has the rows that failed. plan.json is
// written last, so a plan is complete or does not exist. Files appear whole, or not at all.
//
// # Memory
//
// Every file is read and written row by row. A row is in memory, and of all keys a digest.
package batch
