package workflows

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/bound"
	"github.com/temporal-asteroid/asteroid/internal/budget"
)

const maxSeconds = 10 * 365 * 24 * 3600 // more is a mistake, and soon overflows a duration

// validate checks the whole input at once. ExecuteAgent would check it after the files are staged.
func (in *RunAgentInput) validate() error {
	execute := in.executeInput()
	if err := execute.Validate(); err != nil {
		return err
	}
	if err := in.validateFiles(execute); err != nil {
		return err
	}
	if len(in.Files) > 0 && in.OnCapacityLimit == asteroid.CapacityQueue {
		return asteroid.NewInvalidInput("onCapacityLimit", "queue does not go with files: staged files would expire in the queue")
	}
	return in.validatePolicies()
}

// validatePolicies checks what no text of a row can change.
func (in *RunAgentInput) validatePolicies() error {
	return cmp.Or(
		validateRange("timeoutSeconds", in.TimeoutSeconds, maxSeconds, "none"),
		validateRange("capacityTimeoutSeconds", in.CapacityTimeoutSeconds, maxSeconds, "six hours"),
		validateRange("humanTimeoutSeconds", in.HumanTimeoutSeconds, maxSeconds, "none"),
		validateRange("pollIntervalSeconds", in.PollIntervalSeconds, maxSeconds, "ten minutes"),
		validateRange("longPollSeconds", int64(in.LongPollSeconds), 25, "off"),
		in.Collect.validate(),
		in.Reexecution.validate(),
		asteroid.ValidateLimits("limits", in.Limits),
		validateChoice("onMissingFiles", in.OnMissingFiles, MissingFilesFail, MissingFilesReexecute, MissingFilesIgnore),
		validateChoice("onFailure", in.OnFailure, FailureIsError, FailureIsResult),
		validateChoice("onHumanTimeout", in.OnHumanTimeout, HumanTimeoutFail, HumanTimeoutCancel, HumanTimeoutKeepWaiting),
		validateChoice("onCancel", in.OnCancel, CancelExecution, AbandonExecution),
	)
}

// validateFiles checks the references, and that the execute has room for the staged files.
func (in *RunAgentInput) validateFiles(execute asteroid.ExecuteAgentInput) error {
	if len(in.Files) == 0 {
		return nil
	}
	stage := asteroid.StageFilesInput{Files: in.Files}
	if err := stage.Validate(); err != nil {
		return err
	}
	if size := bound.Size(execute) + len(in.Files)*budget.StagedFile; size > budget.ActivityInput {
		return asteroid.NewInvalidInput("inputs", fmt.Sprintf("make an input of %d bytes together with the files, more than %d: "+
			"pass large content as a file by reference", size, budget.ActivityInput))
	}
	return nil
}

func (c *Collect) validate() error {
	if c == nil {
		return nil
	}
	return invalidBelow("collect", c.FileSelection.Validate())
}

func (p *Reexecution) validate() error {
	switch {
	case p == nil:
		return nil
	case p.MaximumExecutions < 2:
		return asteroid.NewInvalidInput("reexecution.maximumExecutions", fmt.Sprintf("is %d: must be at least 2, the first one included", p.MaximumExecutions))
	default:
		return validateRange("reexecution.initialIntervalSeconds", p.InitialIntervalSeconds, maxSeconds, "30")
	}
}

func validateRange(field string, value, maximum int64, meaningOfZero string) error {
	if value < 0 || value > maximum {
		return asteroid.NewInvalidInput(field, fmt.Sprintf("is %d: must be 1 to %d, or 0 for %s", value, maximum, meaningOfZero))
	}
	return nil
}

func validateChoice[T ~string](field string, value T, choices ...T) error {
	if value == "" || slices.Contains(choices, value) {
		return nil
	}
	return asteroid.NewInvalidInput(field, fmt.Sprintf("%q is none of %q", value, choices))
}
