package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/intent"
)

// rowInput is the part of a row's input, of the workflow asteroid.RunAgent, that can be checked
// before it runs.
type rowInput struct {
	Connection         string                     `json:"connection"`
	AgentID            string                     `json:"agentId"`
	AgentProfileID     string                     `json:"agentProfileId"`
	AgentProfilePoolID string                     `json:"agentProfilePoolId"`
	Inputs             asteroid.Inputs            `json:"inputs"`
	Metadata           map[string]string          `json:"metadata"`
	ExecutionOptions   *asteroid.ExecutionOptions `json:"executionOptions"`
	Version            *int                       `json:"version"`
	Head               bool                       `json:"head"`
	CheckInputs        bool                       `json:"checkInputs"`
	OnCapacityLimit    asteroid.OnCapacityLimit   `json:"onCapacityLimit"`
	IdempotencyKey     string                     `json:"idempotencyKey"`
	Files              []asteroid.FileRef         `json:"files"`
	Limits             []asteroid.Limit           `json:"limits"`
}

// rowInputMembers are the members of rowInput. The others are the workflow's to judge.
var rowInputMembers = []string{
	"connection", "agentId", "agentProfileId", "agentProfilePoolId", "inputs", "metadata", "executionOptions", "version",
	"head", "checkInputs", "onCapacityLimit", "idempotencyKey", "files", "limits",
}

// rowChecks checks the inputs of rows.
type rowChecks struct {
	*Activities
	c      *client.Client
	agents map[string]*asteroid.AgentDescription
	pinned *int // the version of every row, if it is one
}

// check returns the digest of a row's input, and what is wrong with it.
func (k *rowChecks) check(ctx context.Context, input []byte) (digest, problem string, warnings []string, err error) {
	in, err := decodeRowInput(input)
	if err != nil {
		return "", saidOf(err), nil, nil
	}
	execute := asteroid.ExecuteAgentInput{
		Connection: in.Connection, AgentID: in.AgentID, AgentProfileID: in.AgentProfileID, AgentProfilePoolID: in.AgentProfilePoolID,
		Inputs: in.Inputs, Metadata: in.Metadata, ExecutionOptions: in.ExecutionOptions,
		Version: in.Version, Head: in.Head, OnCapacityLimit: in.OnCapacityLimit,
	}
	if err := execute.Validate(); err != nil {
		return "", saidOf(err), nil, nil
	}
	if in.IdempotencyKey != "" {
		return "", "idempotencyKey: must be empty, since the keys of batch and row make one", nil, nil
	}
	for i, file := range in.Files {
		if file.URI == "" {
			return "", fmt.Sprintf("files[%d].uri: is empty", i), nil, nil
		}
	}
	if err := asteroid.ValidateLimits("limits", in.Limits); err != nil {
		return "", saidOf(err), nil, nil
	}
	digest = intent.Of(execute, intent.OfFiles(in.Files)).Identity()
	if !in.CheckInputs || in.Head {
		return digest, "", nil, nil
	}
	description, err := k.describe(ctx, in)
	if err != nil {
		return "", "", nil, err
	}
	if description.Unsupported {
		return digest, "", []string{"the inputs were not checked: the service does not serve versions"}, nil
	}
	problems, warnings := description.CheckInputs(in.Inputs)
	if len(problems) > 0 {
		return "", "inputs: " + strings.Join(problems, "; "), nil, nil
	}
	return digest, "", warnings, nil
}

// decodeRowInput decodes strictly what rowInput knows.
func decodeRowInput(input []byte) (*rowInput, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(input, &members); err != nil {
		return nil, err
	}
	known := map[string]json.RawMessage{}
	for _, name := range rowInputMembers {
		if value, ok := members[name]; ok {
			known[name] = value
		}
	}
	raw, err := json.Marshal(known)
	if err != nil {
		return nil, err
	}
	in := &rowInput{}
	return in, asteroid.DecodeInput(raw, in)
}

// saidOf returns the message of an asteroid.InvalidInput.
func saidOf(err error) string {
	if application, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return application.Message()
	}
	return err.Error()
}

// describe describes the version of the agent that a row names, once for all rows.
func (k *rowChecks) describe(ctx context.Context, in *rowInput) (*asteroid.AgentDescription, error) {
	key := in.Connection + "\n" + in.AgentID + "\n"
	if in.Version != nil {
		key += fmt.Sprint(*in.Version)
	}
	if found, ok := k.agents[key]; ok {
		return found, nil
	}
	c := k.c
	if in.Connection != "" {
		var err error
		if c, err = k.connection(in.Connection); err != nil {
			return nil, err
		}
	}
	description, err := k.describeVersion(ctx, c, in.AgentID, in.Version)
	if err != nil {
		return nil, err
	}
	if k.agents == nil {
		k.agents = map[string]*asteroid.AgentDescription{}
	}
	k.agents[key] = description
	k.pinned = nil
	if len(k.agents) == 1 && !description.Unsupported {
		k.pinned = &description.Version
	}
	return description, nil
}
