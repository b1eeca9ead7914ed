package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/temporal-asteroid/asteroid"
	foreign "github.com/temporal-asteroid/asteroid/internal/text"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// report is what --json prints.
type report struct {
	WorkflowID     string       `json:"workflowId"`
	RunID          string       `json:"runId"`
	Executions     []execution  `json:"executions"`
	Files          []*localFile `json:"files"`
	Temporal       endpoint     `json:"temporal"`
	Fake           *fakeAPI     `json:"fake,omitempty"` // none with --live
	UIURL          string       `json:"uiUrl"`          // the workflow's page; empty if it is unknown
	ElapsedSeconds float64      `json:"elapsedSeconds"`
}

// endpoint is where clients of Temporal connect.
type endpoint struct {
	Address   string `json:"address"`
	Namespace string `json:"namespace"`
	TaskQueue string `json:"taskQueue"`
}

// fakeAPI is where clients of the fake connect.
type fakeAPI struct {
	BaseURL string `json:"baseUrl"`
	APIKey  string `json:"apiKey"`
}

type execution struct {
	Agent       string          `json:"agent"`
	ExecutionID string          `json:"executionId"`
	Status      asteroid.Status `json:"status"`
	Outcome     string          `json:"outcome"`
	Result      json.RawMessage `json:"result"`
	// ResultOmitted refers to a result that is too large to be printed.
	ResultOmitted *asteroid.OmittedResult `json:"resultOmitted,omitempty"`
	// Outputs are the URIs of the agent's output files.
	Outputs []string `json:"outputs,omitempty"`
}

// endpoints returns where clients connect to the Temporal server and the fake.
func (s *stack) endpoints() (endpoint, *fakeAPI) {
	temporal := endpoint{Address: s.server.Address(), Namespace: s.server.Namespace(), TaskQueue: s.taskQueue}
	if s.fake == nil {
		return temporal, nil
	}
	return temporal, &fakeAPI{BaseURL: s.fake.BaseURL(), APIKey: s.fake.APIKey()}
}

func (s *stack) executions(result *workflows.PipelineResult) []execution {
	executions := make([]execution, len(result.Steps))
	for i, step := range result.Steps {
		executions[i] = execution{Agent: s.names[step.AgentID], ExecutionID: step.ExecutionID, Status: step.Status}
		if r := step.ExecutionResult; r != nil {
			executions[i].Outcome, executions[i].Result = r.Outcome, r.Result
		}
		executions[i].ResultOmitted = step.ResultOmitted
		for _, output := range step.Outputs {
			executions[i].Outputs = append(executions[i].Outputs, output.URI)
		}
	}
	return executions
}

// print writes the report for people.
func (r *report) print(out io.Writer) {
	for _, e := range r.Executions {
		fmt.Fprintf(out, "\n%s  execution %s  %s, outcome %s\n", e.Agent, e.ExecutionID, e.Status, e.Outcome)
		var text string
		var indented bytes.Buffer
		switch {
		case json.Unmarshal(e.Result, &text) == nil:
		case json.Indent(&indented, e.Result, "    ", "  ") == nil:
			text = indented.String()
		}
		if text != "" {
			fmt.Fprintln(out, "    "+foreign.Clean(text)) // what an agent wrote must not steer the terminal
		}
		for _, uri := range e.Outputs {
			fmt.Fprintln(out, "    output "+uri)
		}
	}
	if len(r.Files) > 0 {
		fmt.Fprintln(out, "\nFiles, with their SHA-256 here and as the agent reports it:")
	}
	for _, f := range r.Files {
		comparison := "same"
		switch {
		case f.SeenSHA256 == "":
			comparison = "the agent reports no digest"
		case f.SeenSHA256 != f.SHA256:
			comparison = "DIFFERENT: " + f.SeenSHA256
		}
		fmt.Fprintf(out, "    %s  %d bytes  %s  %s\n", f.Name, f.Size, f.SHA256, comparison)
	}
	fmt.Fprintf(out, "\nWorkflow %s took %.1fs\n", r.WorkflowID, r.ElapsedSeconds)
}
