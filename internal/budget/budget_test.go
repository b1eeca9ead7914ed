package budget_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/internal/budget"
)

func TestBudgetsStayBelowTheLimitsOfTemporal(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ budget, limit int }{
		"the default inline result warns nobody": {budget.InlineResult, budget.PayloadWarning},
		"a result of RunAgent":                   {budget.MaxInlineResult + 2*budget.FileList + budget.Questions + budget.Reasoning, budget.PayloadLimit},
		"a result of a workflow":                 {budget.WorkflowResult, budget.PayloadLimit},
		"a result of an activity":                {budget.ActivityResult, budget.PayloadLimit},
		"a state":                                {budget.State, budget.PayloadLimit},
		"an input":                               {budget.ActivityInput, budget.PayloadLimit},
		"staged files in an input":               {1000 * budget.StagedFile, budget.ActivityInput},
		"an update's message":                    {2 * budget.Message, budget.PayloadLimit},
		"the inputs of a task":                   {budget.TaskInputs, budget.MessageLimit},
		"an error":                               {budget.Error, budget.FailureLimit},
		"a message and its cause":                {budget.ErrorMessage + budget.ErrorCause, budget.Error},
		"a keyword":                              {budget.Keyword, budget.KeywordLimit},
		"a summary":                              {budget.Summary, budget.SummaryLimit},
		"details":                                {budget.Details, budget.DetailsLimit},
	} {
		require.Less(t, row.budget, row.limit, name)
	}
}
