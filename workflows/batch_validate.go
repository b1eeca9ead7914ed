package workflows

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/budget"
)

const (
	defaultConcurrent = 20
	maxConcurrent     = 1000 // the server admits 2,000 pending children
	maxReruns         = 10
	maxInline         = 256 << 10
	maxTemplate       = 64 << 10 // each segment has it in its input
)

// validate checks the input as far as is possible without the rows.
func (in *BatchInput) validate() error {
	template, templateErr := encode(in.Template)
	switch {
	case in.Rows.Source == nil && len(in.Rows.Inline) == 0:
		return asteroid.NewInvalidInput("rows", "need a source, or inline rows")
	case in.Rows.Source != nil && len(in.Rows.Inline) > 0:
		return asteroid.NewInvalidInput("rows.inline", "does not go with rows.source: give one of them")
	case inlineSize(in.Rows.Inline) > maxInline:
		return asteroid.NewInvalidInput("rows.inline", fmt.Sprintf("has %d bytes, more than %d: pass the rows as a file by reference", inlineSize(in.Rows.Inline), maxInline))
	case in.Results.Destination == "":
		return asteroid.NewInvalidInput("results.destination", "is required: the URI of the file with the results")
	case in.Template.AgentID == "":
		return asteroid.NewInvalidInput("template.agentId", "is required")
	case in.Template.IdempotencyKey != "":
		return asteroid.NewInvalidInput("template.idempotencyKey", "must be empty: batchKey and the row's key make one")
	case templateErr != nil:
		return asteroid.NewInvalidInput("template", fmt.Sprintf("cannot be encoded as JSON: %v", templateErr))
	case len(template) > maxTemplate:
		return asteroid.NewInvalidInput("template", fmt.Sprintf("has %d bytes, more than %d: pass large content as a file by reference", len(template), maxTemplate))
	case strings.TrimSpace(in.BatchKey) != in.BatchKey || len(in.BatchKey) > budget.BatchKey:
		return asteroid.NewInvalidInput("batchKey", fmt.Sprintf("must have at most %d bytes and no white space around it", budget.BatchKey))
	case in.Failures.StopShare < 0 || in.Failures.StopShare > 1:
		return asteroid.NewInvalidInput("failures.stopShare", fmt.Sprintf("is %g: must be between 0 and 1", in.Failures.StopShare))
	case in.Failures.StopAfter < 0:
		return asteroid.NewInvalidInput("failures.stopAfter", fmt.Sprintf("is %d: must be a number of rows, or 0 for never", in.Failures.StopAfter))
	}
	if err := cmp.Or(
		validateRange("maxConcurrent", int64(in.MaxConcurrent), maxConcurrent, "20"),
		validateRange("failures.reruns", int64(in.Failures.Reruns), maxReruns, "none"),
		validateChoice("rows.format", in.Rows.Format, asteroid.RowsCSV, asteroid.RowsJSONLines),
		validateChoice("results.format", in.Results.Format, asteroid.RowsCSV, asteroid.RowsJSONLines),
		validateChoice("rows.onMalformed", in.Rows.OnMalformed, asteroid.RowsRefuse, asteroid.RowsSkip),
		validateChoice("rows.onChanged", in.Rows.OnChanged, asteroid.RowsRefuse, asteroid.RowsRerun),
		invalidBelow("template", in.Template.validatePolicies()),
	); err != nil {
		return err
	}
	if bytes.Contains(template, []byte("{{")) {
		return nil // its strings are complete with the values of a row
	}
	return invalidBelow("template", in.Template.validate())
}

func inlineSize(rows []json.RawMessage) (size int) {
	for _, row := range rows {
		size += len(row)
	}
	return size
}
