package asteroid

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/temporal-asteroid/asteroid/internal/budget"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

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

func (p *BatchPlan) validate() error {
	switch {
	case p.BatchKey == "":
		return NewInvalidInput("batchKey", "is required")
	case len(p.BatchKey) > budget.BatchKey || strings.ContainsFunc(p.BatchKey, text.Misleading):
		return NewInvalidInput("batchKey", fmt.Sprintf("must have at most %d bytes and no invisible characters", budget.BatchKey))
	}
	return cmp.Or(checkID("planId", p.PlanID), p.Results.Validate())
}

func checkPass(field string, number int) error {
	if number < 1 {
		return NewInvalidInput(field, fmt.Sprintf("is %d: must be at least 1", number))
	}
	return nil
}

func checkTemplate(template json.RawMessage) error {
	if jsonKind(template) != kindObject {
		return NewInvalidInput("template", "must be an object, the input of asteroid.RunAgent")
	}
	return nil
}
