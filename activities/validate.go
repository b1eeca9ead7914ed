package activities

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// plainIDPattern admits every id that the service makes (UUIDs) and whatever else fits into one path segment
// unescaped, but no separator, no dot segment, no white space.
var plainIDPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._~-]{0,254}$`)

func plainID(id string) bool { return plainIDPattern.MatchString(id) }

// inputNamePattern is what the prompts' placeholders can hold (fundamentals/nodes/ai-task).
var inputNamePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

var numberedKeyPattern = regexp.MustCompile(`#[0-9]+$`)

const idRule = "must be an id as the service gives it, of letters, digits, and - _ . ~"

func checkID(field, id string) error {
	switch {
	case id == "":
		return invalid(field, "is required")
	case !plainID(id):
		return invalid(field, fmt.Sprintf("%q %s", clip(id), idRule))
	}
	return nil
}

// clip keeps a mistaken value (a whole file, say) from filling an error message.
func clip(text string) string {
	const most = 80
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}

// Validate checks everything that the contract forbids. Its error is asteroid.InvalidInput and names the field and the
// rule. ExecuteAgent calls it before anything is sent; workflow code can call it before it stages files.
func (in *ExecuteAgentInput) Validate() error {
	if err := checkID("agentId", in.AgentID); err != nil {
		return err
	}
	switch {
	case in.AgentProfileID != "" && !plainID(in.AgentProfileID):
		return checkID("agentProfileId", in.AgentProfileID)
	case in.AgentProfilePoolID != "" && !plainID(in.AgentProfilePoolID):
		return checkID("agentProfilePoolId", in.AgentProfilePoolID)
	case in.AgentProfileID != "" && in.AgentProfilePoolID != "":
		return invalid("agentProfileId", "excludes agentProfilePoolId: name a profile or a pool, not both")
	case len(in.Inputs) > 0 && len(in.DynamicData) > 0:
		return invalid("dynamicData", "is the former name of inputs: give everything in inputs")
	case in.Version != nil && in.Head:
		return invalid("version", "excludes head: name a version or ask for the head, not both")
	}
	if err := checkInputNames("inputs", in.Inputs); err != nil {
		return err
	}
	if err := checkInputNames("dynamicData", in.DynamicData); err != nil {
		return err
	}
	for _, key := range sortedKeys(in.Metadata) {
		switch {
		case key == "":
			return invalid("metadata", "has an empty key")
		case strings.HasPrefix(strings.ToLower(key), MetadataPrefix):
			return invalid("metadata."+clip(key), "is reserved: keys that begin with "+MetadataPrefix+" identify the workflow")
		}
	}
	if o := in.ExecutionOptions; o != nil {
		switch {
		case o.SoftTimeoutMins != nil && *o.SoftTimeoutMins < 1:
			return invalid("executionOptions.softTimeoutMins", fmt.Sprintf("is %d: must be at least 1", *o.SoftTimeoutMins))
		case o.SharedStorageKey != "" && o.VariantKey != "":
			return invalid("executionOptions.sharedStorageKey", "excludes variantKey, which is its newer name")
		}
	}
	switch in.OnCapacityLimit {
	case "", CapacityReject:
	case CapacityQueue:
		if len(in.TempFiles) > 0 {
			return invalid("onCapacityLimit", "queue does not go with files: staged files would expire in the queue")
		}
	default:
		return invalid("onCapacityLimit", fmt.Sprintf("%q is neither %q nor %q", clip(string(in.OnCapacityLimit)), CapacityReject, CapacityQueue))
	}
	switch {
	case strings.TrimSpace(in.IdempotencyKey) != in.IdempotencyKey || len(in.IdempotencyKey) > maxKey:
		return invalid("idempotencyKey", fmt.Sprintf("must have at most %d bytes and no white space around it", maxKey))
	case numberedKeyPattern.MatchString(in.IdempotencyKey):
		return invalid("idempotencyKey", "must not end in # and a number, which are added when an intent is executed again")
	case in.Doubtful < 0:
		return invalid("doubtful", "must not be negative")
	}
	return checkTempFiles(in.TempFiles)
}

// maxKey bounds the identity that goes into metadata, whose own limit is not published. A namespace and a workflow id
// may have some hundred bytes each.
const maxKey = 1500

func checkInputNames(field string, inputs Inputs) error {
	for _, name := range sortedKeys(inputs) {
		if !inputNamePattern.MatchString(name) {
			return invalid(field, fmt.Sprintf("the name %q fits no prompt: a letter or _ first, then letters, digits and _", clip(name)))
		}
	}
	return nil
}

// sortedKeys makes the first mistake that is told the same in every run, also in workflow code.
//
//workflowcheck:ignore
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func checkTempFiles(files []StagedFile) error {
	seen := make(map[string]int, len(files))
	for i, f := range files {
		field := fmt.Sprintf("tempFiles[%d]", i)
		if err := checkID(field+".id", f.ID); err != nil {
			return err
		}
		if f.Name == "" {
			return invalid(field+".name", "is required: pass on what StageFiles returned, unchanged")
		}
		if j, twice := seen[f.ID]; twice {
			return invalid(field+".id", fmt.Sprintf("is the same file as tempFiles[%d]: a staged file serves once", j))
		}
		seen[f.ID] = i
	}
	return nil
}
