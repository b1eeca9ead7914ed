package testsuite

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

var inputName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// validateExecute returns the members of an execute request that the contract does not allow.
func validateExecute(body api.ExecuteAgentRequest) []api.FieldError {
	var faults []api.FieldError
	fault := func(parameter, format string, args ...any) {
		faults = append(faults, api.FieldError{Parameter: parameter, Detail: fmt.Sprintf(format, args...)})
	}
	profiles := []struct {
		name  string
		value *string
	}{
		{"agentProfileId", body.AgentProfileID},
		{"agentProfilePoolId", body.AgentProfilePoolID},
		{"profileId", body.ProfileID},
		{"profileGroupId", body.ProfileGroupID},
	}
	var given []string
	for _, profile := range profiles {
		if profile.value == nil {
			continue
		}
		given = append(given, profile.name)
		if !isUUID(*profile.value) {
			fault(profile.name, "%q is not a UUID; pass the id of a profile or a pool", *profile.value)
		}
	}
	if len(given) > 1 {
		fault(given[1], "excludes %s; send only one of the profile and pool (group) fields", given[0])
	}
	if body.Version != nil && body.Head != nil {
		fault("head", "excludes version")
	}
	if body.Version != nil && *body.Version < 1 {
		fault("version", "must be at least 1")
	}
	if body.Inputs != nil && body.DynamicData != nil {
		fault("dynamicData", "is the former name of inputs; send only one of them")
	}
	faults = append(faults, validateInputNames("inputs", body.Inputs)...)
	faults = append(faults, validateInputNames("dynamicData", body.DynamicData)...)
	if o := body.ExecutionOptions; o != nil && o.SoftTimeoutMins != nil && *o.SoftTimeoutMins < 1 {
		fault("executionOptions.softTimeoutMins", "must be at least 1")
	}
	if body.OnCapacityLimit != nil {
		if !body.OnCapacityLimit.Valid() {
			fault("onCapacityLimit", "%q is not one of reject and queue", *body.OnCapacityLimit)
		}
		if *body.OnCapacityLimit == api.Queue && body.TempFiles != nil && len(*body.TempFiles) > 0 {
			fault("onCapacityLimit", "queue cannot be combined with tempFiles")
		}
	}
	return faults
}

func validateInputNames(parameter string, inputs *map[string]any) []api.FieldError {
	var faults []api.FieldError
	if inputs == nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(*inputs)) {
		if !inputName.MatchString(name) {
			faults = append(faults, api.FieldError{
				Parameter: parameter,
				Detail:    fmt.Sprintf("%q is not an input name: use letters, digits and underscores, and do not begin with a digit", name),
			})
		}
	}
	return faults
}
