package activities

import (
	"context"
	"encoding/json"
	"maps"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/batch"
	"github.com/temporal-asteroid/asteroid/internal/rows"
)

// ReadBatchRows returns the rows of a segment that PlanBatch has planned, with their inputs: the
// template with the values of each row. If every row was checked against one version of the agent,
// the inputs name it, and RunAgent does not check them again. Each row names its limits, those of
// Options.Limits too: a segment starts no row that would wait for another one of its own.
//
// Errors: asteroid.InvalidInput, also if the plan does not exist any more, because another run of
// the batch has taken over; those of SaveFiles about the destination.
func (a *Activities) ReadBatchRows(ctx context.Context, in asteroid.ReadBatchRowsInput) (*asteroid.ReadBatchRowsResult, error) {
	if _, err := a.checkInput(in.Connection, in.Validate); err != nil {
		return nil, err
	}
	b, err := a.batchFiles(ctx, in.BatchPlan)
	if err != nil {
		return nil, err
	}
	template, err := rows.NewTemplate(in.Template, in.InputColumns)
	if err != nil {
		return nil, err
	}
	done, stop := countRows(ctx)
	defer stop()
	version, err := b.Version(ctx)
	if err != nil {
		return nil, batchError(ctx, err)
	}
	result := &asteroid.ReadBatchRowsResult{}
	err = b.Segment(ctx, in.Pass, in.Segment, func(row *batch.PlannedRow) error {
		input, err := pinVersion(template.Expand(row.Cells), version)
		if err != nil {
			return err
		}
		result.Rows = append(result.Rows, asteroid.BatchRow{
			Number: row.Number, Key: row.Key, Attempt: row.Attempt, Input: input, Limits: a.limitsOfRow(input),
		})
		done.Add(1)
		return nil
	})
	if err != nil {
		return nil, batchError(ctx, err)
	}
	return result, nil
}

// limitsOfRow returns the limits of a row. An input that RunAgent will refuse has none.
func (a *Activities) limitsOfRow(input json.RawMessage) []asteroid.Limit {
	var in struct {
		AgentProfileID string           `json:"agentProfileId"`
		Limits         []asteroid.Limit `json:"limits"`
	}
	if json.Unmarshal(input, &in) != nil {
		return nil
	}
	limits := a.limits.Of(in.AgentProfileID, in.Limits)
	for i := range limits {
		limits[i].FairnessKey = ""
	}
	return limits
}

// pinVersion names the version that an input was checked against.
func pinVersion(input json.RawMessage, version *int) (json.RawMessage, error) {
	if version == nil {
		return input, nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(input, &members); err != nil {
		return nil, err
	}
	number, err := json.Marshal(version)
	if err != nil {
		return nil, err
	}
	maps.Copy(members, map[string]json.RawMessage{"version": number, "checkInputs": json.RawMessage("false")})
	return json.Marshal(members)
}
